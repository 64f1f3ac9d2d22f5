"""How operators learn of a finding: a metric to alarm on, a log line that names the ids."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.observability.emf import Metrics

_NAMED: Final = 100
"""Ids in a log line at most."""

_logger: Final = Logger()


class Finding(StrEnum):
    """What must never be; the value is its label in metrics."""

    BLOCKED_USER_HOLDS_DEVICE = "blocked_user_holds_device"
    ALLOCATION_OF_UNKNOWN = "allocation_of_unknown"
    """Its user or its device has no row: nobody but a person can tell what to do."""
    BROKEN_DEVICE_HELD = "broken_device_held"
    DEVICE_ALLOCATED_TO_NOBODY = "device_allocated_to_nobody"
    HELD_DEVICE_AVAILABLE = "held_device_available"
    DELIVERY_OVERDUE = "delivery_overdue"
    NOTIFICATION_WITHOUT_DELIVERIES = "notification_without_deliveries"


def report(finding: Finding, ids: Sequence[object], remedy: str, metrics: Metrics) -> None:
    """Count findings, also when there are none, and name them.

    Args:
        finding: what was found.
        ids: of what, empty if nothing was found.
        remedy: what was done about it, or what to do.
        metrics: of the job.
    """
    metrics.add("scheduler_reconciler_findings_total", len(ids), kind=finding)
    if ids:
        details = {"kind": finding, "count": len(ids), "ids": list(ids[:_NAMED])}
        _logger.error("Reconciler: %s: %s", finding, remedy, extra=details)
