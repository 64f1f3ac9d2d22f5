"""Hands devices out, and takes them back when asked to."""
