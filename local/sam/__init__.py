"""Runs ``sam local invoke`` against the local platform."""
