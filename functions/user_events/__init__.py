"""Consumes the events of the user service."""
