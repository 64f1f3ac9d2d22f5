"""Says every minute whether the mass-failure brake holds releases, until an operator decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from scheduler.database.brake import read_status

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_logger: Final = Logger()


def watch_brake(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Measure whether the brake is engaged: what raises the alarm and keeps it up."""
    with tools.database.transaction() as cursor:
        status = read_status(cursor, tools.clock())
    engaged = status.state.engaged_at is not None
    metrics.add("scheduler_mass_failure_brake", int(engaged))
    if engaged:
        details = {"engaged_by": status.engaged_by, "held": status.held}
        _logger.error("Releases are held: scheduler-ops brake status", extra=details)
    yield int(engaged)
