"""Writes a log line for each result of a delivery, without addresses and texts."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Final

from scheduler.observability.log_lines import LogLines
from scheduler.observability.logger import service_logger
from scheduler.outbox.delivery import DeliveryOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.outbox.delivery import DeliveryResult

_LEVELS: Final = {
    DeliveryOutcome.FAILED: logging.ERROR,
    DeliveryOutcome.RETRIED: logging.WARNING,
}
"""Levels of the log lines; INFO for the other outcomes."""

_logger: Final = service_logger()


def log_results(results: Iterable[DeliveryResult]) -> None:
    """Write the lines of a batch together, also of results that could not be recorded."""
    lines = LogLines(_logger)
    for result in results:
        delivery = result.delivery
        user_id = delivery.recipient.user_id
        lines.add(
            _LEVELS.get(result.outcome, logging.INFO),
            f"Notification {result.outcome}: {delivery.type} to user {user_id}",
            {
                "outcome": result.outcome,
                "notification_id": delivery.notification_id,
                "delivery_id": delivery.id,
                "user_id": user_id,
                "type": delivery.type,
                "channel": delivery.channel,
                "attempt": delivery.attempts + 1,
                "provider_message_id": result.provider_message_id,
                **delivery.trace._asdict(),
                "error": result.detail or None,
            },
        )
    lines.flush()


def log_locked(results: Iterable[DeliveryResult]) -> None:
    """Warn of results that were not recorded, because other transactions hold the deliveries."""
    if ids := [result.delivery.id for result in results]:
        _logger.warning(
            "Deliveries are locked by other transactions; they are sent again",
            extra={"delivery_ids": ids},
        )
