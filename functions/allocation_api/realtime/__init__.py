"""The way to the WebSocket."""
