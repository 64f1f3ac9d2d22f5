"""What was committed and waits to be told: deliveries to users, events to other services."""
