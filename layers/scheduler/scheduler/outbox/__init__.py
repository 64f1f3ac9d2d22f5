"""The transactional outbox: deliveries to users and events for other services."""
