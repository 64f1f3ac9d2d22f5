"""Lambda handler of the device events."""

from __future__ import annotations

from device_events.rules import events
from scheduler.domain.brake import BrakeLimits
from scheduler.observability.logger import begin_invocation
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import BrakeSettings, ConsumerSettings


class DeviceSettings(ConsumerSettings, BrakeSettings):
    """The environment variables of the function."""


_settings = DeviceSettings.from_environment()
_consumer = Consumer(
    events,
    _settings,
    brake=BrakeLimits(_settings.mass_failure_share, _settings.mass_failure_devices),
)


def handler(event: object, context: object) -> dict[str, int]:
    """Consume a batch of one queue; returning acknowledges it."""
    begin_invocation(context)
    return _consumer.handle(event, context)
