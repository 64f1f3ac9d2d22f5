"""Turns notices into notifications: which channels, which texts."""
