"""Runs jobs one after the other; a job that fails or takes long does not stop the others."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from scheduler.deadline import Deadline
from scheduler.observability.emf import Metrics, Unit
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from housekeeping.tools import Tools

_logger: Final = service_logger()

Job: TypeAlias = Callable[["Tools", Metrics], Iterator[int]]
"""A generator that commits after each chunk and yields the number of items it handled.

It may be stopped at any yield, and several processes may run it at once.
"""


class JobStatus(StrEnum):
    """How a job ended; the value is its label in metrics."""

    DONE = "done"
    UNFINISHED = "unfinished"
    """The job used up its time; the next run continues."""
    FAILED = "failed"


def requested(event: object, known: Mapping[str, Job]) -> Sequence[str]:
    """Return the jobs that an event names; all jobs if it has no ``jobs``, as on schedule.

    Raises:
        ValueError: ``jobs`` is not a list, or names an unknown job.
    """
    if not isinstance(event, Mapping) or "jobs" not in event:
        return list(known)
    names = event["jobs"]
    if not isinstance(names, list) or any(name not in list(known) for name in names):
        raise ValueError(f"jobs must be a list of some of {', '.join(known)}; it is {names!r}")
    return list(dict.fromkeys(names))


class JobRunner:
    """Runs jobs by name, with tools that they share."""

    def __init__(self, jobs: Mapping[str, Job], tools: Tools) -> None:
        self._jobs = jobs
        self._tools = tools

    def run(self, names: Sequence[str], deadline: Deadline) -> dict[str, dict[str, Any]]:
        """Run jobs, and return the status of each and the number of items that it handled.

        Each job may take an equal share of the time that is left when it starts.
        """
        results = {}
        for done, name in enumerate(names):
            results[name] = self._run(name, _share(deadline, len(names) - done))
        return results

    def _run(self, name: str, deadline: Deadline) -> dict[str, Any]:
        started, metrics = time.perf_counter(), Metrics()
        status, handled, failing = JobStatus.DONE, 0, self._tools.failing
        failing.begin(name, deadline)
        try:
            for count in self._jobs[name](self._tools, metrics):
                handled += count
                if deadline.passed:
                    status = JobStatus.UNFINISHED
                    break
            failing.raise_if_any()
        except Exception:  # must not stop the other jobs
            status = JobStatus.FAILED
            _logger.exception("Housekeeping job failed", extra={"job": name})
        seconds = time.perf_counter() - started
        metrics.add("scheduler_housekeeping_runs_total", 1, job=name, status=status)
        metrics.add("scheduler_housekeeping_handled_total", handled, job=name)
        metrics.observe(
            "scheduler_housekeeping_duration_seconds", [seconds], Unit.SECONDS, job=name
        )
        metrics.flush(self._tools.clock())
        result = {"status": status.value, "handled": handled}
        _logger.info("Housekeeping job ended", extra={"job": name, "seconds": seconds, **result})
        return result


def _share(deadline: Deadline, jobs: int) -> Deadline:
    now = time.monotonic()
    return Deadline(now + (deadline.at - now) / jobs)
