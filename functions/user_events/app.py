"""Lambda handler of the user events."""

from __future__ import annotations

from aws_lambda_powertools import Logger

from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from scheduler.version import VERSION
from user_events.rules import events

Logger().append_keys(version=VERSION)

_consumer = Consumer(events, ConsumerSettings.from_environment())


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch of one queue; returning acknowledges it."""
    return _consumer.handle(event, context)
