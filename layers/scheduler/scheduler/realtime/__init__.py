"""The WebSocket: tickets, connections, and the messages of both sides."""
