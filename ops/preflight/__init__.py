"""Checks before a deployment, so that it does not fail after half an hour."""
