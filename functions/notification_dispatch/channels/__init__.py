"""One sender per channel: WebSocket, e-mail, SMS."""
