"""Devices reserved for a time to come."""
