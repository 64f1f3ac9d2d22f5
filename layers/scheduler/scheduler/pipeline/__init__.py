"""How a batch of messages is processed: `consumer` shows the steps in order."""
