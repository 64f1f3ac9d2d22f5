"""The servers of the platform on 127.0.0.1: MariaDB, RabbitMQ, and moto for AWS."""
