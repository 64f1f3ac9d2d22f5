"""The rules of the product; nothing here depends on AWS, AMQP or SQL."""
