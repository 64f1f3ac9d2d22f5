"""Allocations: who holds which device, and until when."""
