"""Lambda handler of the housekeeping function, invoked every minute."""

from __future__ import annotations

from typing import Any

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner, requested
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from scheduler.deadline import Deadline
from scheduler.observability.logger import begin_invocation

_tools = Tools.of(HousekeepingSettings.from_environment())
_runner = JobRunner(JOBS, _tools)


def handler(event: object, context: object) -> dict[str, dict[str, Any]]:
    """Run all jobs, or those named as ``{"jobs": ["expire", …]}``, and return their results."""
    begin_invocation(context)
    _tools.database.deadline = deadline = Deadline.of(context)
    return _runner.run(requested(event, JOBS), deadline)
