"""Consumes the events of the device service."""
