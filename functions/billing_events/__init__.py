"""Consumes the events of the billing service."""
