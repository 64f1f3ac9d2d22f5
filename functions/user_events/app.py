"""Lambda handler of the user events."""

from __future__ import annotations

from scheduler.observability.logger import begin_invocation
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from user_events.rules import events

_consumer = Consumer(events, ConsumerSettings.from_environment())


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch of one queue; returning acknowledges it."""
    begin_invocation(context)
    return _consumer.handle(event, context)
