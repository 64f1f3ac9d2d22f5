"""Tells users and other services what was committed."""
