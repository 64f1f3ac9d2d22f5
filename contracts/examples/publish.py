"""Publishes an event with pika: persistent, confirmed, mandatory.

AMQP_URL=amqp://… python publish.py
"""

import json
import os
import uuid
from datetime import UTC, datetime

import pika


def publish(url: str, event_type: str, body: dict[str, object]) -> str:
    """Publish an event and return its message id when the broker has confirmed it.

    Raises:
        pika.exceptions.UnroutableError: no queue is bound to this routing key.
        pika.exceptions.NackError: the queue refused it; publish again with the same message id.
    """
    message_id = str(uuid.uuid4())  # one per event; use it again when you publish the event again
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
    id_ = publish(os.environ.get("AMQP_URL", "amqp://localhost"), "device.failed", event)
    print(f"Published device.failed, message id {id_}")
