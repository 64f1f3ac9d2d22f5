"""Messages: what arrives from the broker and what goes back to it."""
