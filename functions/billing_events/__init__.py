"""Consumes what the billing service publishes."""
