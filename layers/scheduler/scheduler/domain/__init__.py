"""What the product is about, free of AWS, AMQP and SQL."""
