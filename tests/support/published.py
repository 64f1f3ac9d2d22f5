"""What an example program has published to a queue."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import pika


def taken(broker_url: str, queue: str) -> tuple[Any, Any]:
    """Take the only message of a queue and return its properties and body."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        method, properties, body = channel.basic_get(queue, auto_ack=True)
        assert method, f"{queue} is empty"
        assert method.message_count == 0
        return properties, json.loads(body)


def is_published_well(properties: Any, printed: str, subject: str) -> bool:  # noqa: ANN401 - pika has no types
    return bool(
        printed.strip().endswith(properties.message_id)
        and properties.delivery_mode == 2
        and properties.app_id == "my-service"
        and properties.headers["x-shard-key"] == subject
    )
