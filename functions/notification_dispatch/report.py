"""Tells operators what the dispatcher did. No address ever enters a log line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from scheduler.observability.emf import Metrics
from scheduler.outbox.delivery import DeliveryOutcome, DeliveryResult

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from scheduler.domain.notices import Channel

logger: Final = Logger()


def report_trouble(result: DeliveryResult, bug: Exception | None = None) -> None:
    """Log one delivery that a provider did not take, or that a bug of ours stopped."""
    delivery = result.delivery
    log = logger.error if bug or result.outcome is DeliveryOutcome.FAILED else logger.warning
    log(
        f"Delivery {result.outcome}",
        extra={
            "delivery_id": delivery.id,
            "notification_id": delivery.notification_id,
            "user_id": delivery.recipient.user_id,
            "channel": delivery.channel,
            "attempt": delivery.attempts + 1,
            "error": result.detail,
        },
        exc_info=bug,
    )


def report_shift(
    told: Mapping[Channel, Mapping[DeliveryOutcome, int]], published: int, now: datetime
) -> dict[str, int]:
    """Write log line and metrics of an invocation; return the counts by channel and fate."""
    metrics = Metrics()
    counts = {"published": published}
    for channel, fates in told.items():
        for fate, number in fates.items():
            metrics.add("scheduler_notifications_total", number, channel=channel, status=fate)
            counts[f"{channel}_{fate}"] = number
    metrics.flush(now)
    logger.info("Dispatched", extra={"counts": counts})
    return counts
