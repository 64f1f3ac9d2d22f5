"""The six acceptance scenarios, driven only from outside: HTTP and AMQP."""
