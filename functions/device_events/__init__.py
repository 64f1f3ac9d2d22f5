"""Consumes what the device service publishes."""
