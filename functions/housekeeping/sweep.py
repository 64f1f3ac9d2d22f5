"""Measures the backlog of deliveries and outgoing events, and nudges a late dispatcher.

The dispatcher has its own schedule and takes over expired claims itself. The nudge makes a
difference only if that schedule fails.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from scheduler.observability.emf import Unit
from scheduler.observability.logger import service_logger
from scheduler.outbox.backlog import backlog

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_MAX_DELAY: Final = timedelta(minutes=1)
"""The interval of the dispatcher's schedule."""

_logger: Final = service_logger()


def sweep(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Nudge the dispatcher if anything has been due for a minute; measure the oldest age."""
    with tools.database.transaction() as cursor:
        found = backlog(cursor, tools.clock(), _MAX_DELAY)
    pending, unpublished = found.notification_seconds, found.event_seconds
    metrics.set("scheduler_oldest_pending_notification_seconds", pending, Unit.SECONDS)
    metrics.set("scheduler_oldest_unpublished_event_seconds", unpublished, Unit.SECONDS)
    if not found.unclaimed and unpublished < _MAX_DELAY.total_seconds():
        return
    ages = {"oldest_notification_seconds": pending, "oldest_event_seconds": unpublished}
    _logger.warning("The dispatcher is late; nudging it", extra=ages)
    tools.nudge()
    yield 1
