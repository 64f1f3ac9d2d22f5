"""What happened to allocations."""
