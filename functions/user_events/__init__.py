"""Consumes what the user service publishes."""
