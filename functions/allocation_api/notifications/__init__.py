"""A user's inbox."""
