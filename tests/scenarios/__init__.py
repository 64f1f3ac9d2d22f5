"""The six acceptance scenarios, run through HTTP, AMQP and the WebSocket only."""
