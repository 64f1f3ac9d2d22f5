"""Lambda handler of the device events."""

from __future__ import annotations

from device_events.rules import events
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings

_consumer = Consumer(events, ConsumerSettings.from_environment())


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch of one queue; returning acknowledges it."""
    return _consumer.handle(event, context)
