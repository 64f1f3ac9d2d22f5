"""The WebSocket: who may connect, who is connected, where a reconnecting client left off."""
