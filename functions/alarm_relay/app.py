"""Lambda handler that passes alarms on to a chat; the SNS topic of the alarms invokes it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from alarm_relay.relay import relay
from alarm_relay.settings import RelaySettings
from scheduler.observability.logger import begin_invocation

if TYPE_CHECKING:
    from collections.abc import Mapping

_settings: Final = RelaySettings.from_environment()


def handler(event: Mapping[str, Any], context: object) -> None:
    """Post the alarms of an SNS event; after an error Lambda tries again."""
    begin_invocation(context)
    relay(event, _settings)
