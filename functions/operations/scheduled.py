"""The canary that the stack runs on a schedule: a gentle smoke run in one invocation."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from operations.errors import OpsError
from operations.smoke import SmokeArguments, smoke
from scheduler.observability.emf import Metrics
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from operations.context import OperationContext

SCHEDULED: Final = {"scheduled": "canary"}
"""The event of the schedule."""

_logger: Final = service_logger()


def run_canary(context: OperationContext) -> dict[str, Any]:
    """Run all checks that no alarm watches until the deadline, and measure whether they passed.

    The alarm on this metric is also raised if no run reports.
    """
    try:
        result = smoke(context, SmokeArguments(thorough=False))
    except OpsError as error:
        failures = [{"check": "broker and database can be reached", "detail": str(error)}]
    else:
        failures = [one for one in result["checks"] if one["passed"] is False]
        if result["next"]:
            failures.append({"check": "the run ends in time", "detail": ""})
    for one in failures:
        details = {"check": one["check"], "detail": one["detail"]}
        _logger.error("A check of the canary failed", extra=details)
    metrics = Metrics()
    metrics.set("scheduler_canary_passed", int(not failures))
    metrics.flush(datetime.now(UTC))
    return {"passed": not failures}
