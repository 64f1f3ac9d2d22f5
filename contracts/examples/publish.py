"""Publishes an event with pika: persistent, confirmed, mandatory.

pip install pika
AMQP_URL=amqps://USER:PASSWORD@HOST:5671/cloudphone python publish.py

A service keeps its connection and channel, instead of opening them for each event.
"""

import json
import os
import uuid
from datetime import UTC, datetime

import pika


def publish(
    url: str, event_type: str, body: dict[str, object], message_id: str | None = None
) -> str:
    """Publish an event and return its message id when the broker has confirmed it.

    If it fails, publish again with the same message id: one per event, such as an outbox row's.

    Raises:
        pika.exceptions.UnroutableError: no queue is bound to this routing key.
        pika.exceptions.AMQPError: it may not have arrived.
    """
    message_id = message_id or str(uuid.uuid4())
    connection = pika.BlockingConnection(pika.URLParameters(url))
    try:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(
            "cloudphone.events",
            event_type,
            json.dumps(body, ensure_ascii=False).encode(),
            pika.BasicProperties(
                message_id=message_id,
                app_id="my-service",  # the timeline names it as the publisher
                delivery_mode=pika.DeliveryMode.Persistent.value,
                content_type="application/json",
                headers={"x-shard-key": body.get("deviceId") or body.get("userId")},
            ),
            mandatory=True,
        )
    finally:
        connection.close()
    return message_id


if __name__ == "__main__":
    event: dict[str, object] = {
        "deviceId": "device-001",
        "reason": "Screen is dark",
        "timestamp": datetime.now(UTC).isoformat(),
    }
    id_ = publish(os.environ.get("AMQP_URL", "amqp://localhost/cloudphone"), "device.failed", event)
    print(f"Published device.failed, message id {id_}")
