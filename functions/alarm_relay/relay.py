"""Passes alarms on from SNS to a chat."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from alarm_relay.alarm import Alarm
from alarm_relay.chat import Webhook, post
from alarm_relay.text import chat_message
from scheduler.credentials import read_secret
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from alarm_relay.settings import RelaySettings

_logger: Final = service_logger()


def relay(event: Mapping[str, Any], settings: RelaySettings) -> None:
    """Post each alarm of an SNS event, except the first OK of a new alarm.

    If that fails, Lambda invokes the function again; an alarm may then arrive twice.

    Raises:
        CredentialsUnavailableError: the secret cannot be read.
        pydantic.ValidationError: the secret is not a webhook.
        NotDeliveredError: the chat did not accept an alarm.
    """
    webhook = Webhook.model_validate(read_secret(settings.webhook_secret_arn))
    for record in event["Records"]:
        alarm = Alarm.of(record["Sns"])
        if alarm.is_new:  # a deployment may create a hundred
            continue
        post(webhook, chat_message(alarm, settings.relay_language), datetime.now(UTC))
        about = {"alarm": alarm.name, "state": alarm.state, "provider": webhook.provider}
        _logger.info("Alarm relayed", extra=about)
