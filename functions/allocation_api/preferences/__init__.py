"""Where and when a user wants to be told what."""
