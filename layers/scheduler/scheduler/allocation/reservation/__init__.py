"""Devices promised for a time to come."""
