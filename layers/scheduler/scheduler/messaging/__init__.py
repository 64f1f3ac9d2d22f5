"""Messages from the broker, messages to it, and its topology."""
