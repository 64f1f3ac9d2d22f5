"""Private servers: the real MariaDB and RabbitMQ, and moto for AWS, on 127.0.0.1."""
