"""The WebSocket API: lets users in by ticket, and brings them what they missed."""
