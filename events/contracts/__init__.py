"""Generates the folder contracts/: what other services need to publish and receive events."""
