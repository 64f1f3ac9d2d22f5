"""Allocations, leases, the waiting line and reservations."""
