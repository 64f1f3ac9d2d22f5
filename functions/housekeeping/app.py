"""Lambda handler of the housekeeping function, invoked every minute."""

from __future__ import annotations

from typing import Any, Final

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner, requested
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from scheduler.deadline import Deadline
from scheduler.observability.logger import begin_invocation

_JOBS_SHARE: Final = 0.9
"""Of the time until statements fail: a chunk that is under way at the end takes a part of the
rest."""

_tools = Tools.of(HousekeepingSettings.from_environment())
_runner = JobRunner(JOBS, _tools)


def handler(event: object, context: object) -> dict[str, dict[str, Any]]:
    """Run all jobs, or those named as ``{"jobs": ["expire", …]}``, and return their results."""
    begin_invocation(context)
    _tools.database.deadline = last_moment = Deadline.of(context)
    return _runner.run(requested(event, JOBS), last_moment.after_share(_JOBS_SHARE))
