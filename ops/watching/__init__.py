"""What happens right now: queues and outcomes."""
