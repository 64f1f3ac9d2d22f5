"""The WebSocket API: connects users by ticket and replays the notifications they missed."""
