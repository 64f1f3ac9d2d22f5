"""The ways to reach a user: WebSocket, e-mail, SMS."""
