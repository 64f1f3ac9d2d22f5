"""EventBridge rules that invoke a function every minute.

The event: docs.aws.amazon.com/eventbridge/latest/ref/events-ref-scheduled-events.html
"""

from __future__ import annotations

import json
import logging
import threading
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Self

from local.lambda_runtime.environment import FunctionError, LambdaEnvironment
from local.lambda_runtime.functions import DISPATCHER, HOUSEKEEPING, deployed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_log = logging.getLogger(__name__)

_MINUTE: Final = 60.0
_SCHEDULED: Final = (DISPATCHER, HOUSEKEEPING)
_ACCOUNT: Final = "000000000000"


@dataclass(frozen=True, slots=True)
class Schedules:
    """Running schedules."""

    running: tuple[Schedule, ...]

    @classmethod
    def start(cls, schedules: Iterable[Schedule]) -> Self:
        """Start the schedules; each invokes for the first time after its interval."""
        started = cls(tuple(schedules))
        for schedule in started.running:
            schedule.start()
        return started

    def stop(self) -> None:
        """Stop the schedules and kill running invocations, which the functions tolerate."""
        for schedule in self.running:
            schedule.stop()


class Schedule:
    """Invokes one function in its own environment; ticks during an invocation are skipped."""

    def __init__(self, environment: LambdaEnvironment, rule: str, seconds: float = _MINUTE) -> None:
        self._environment = environment
        self._rule = rule
        self._seconds = seconds
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"schedule-{rule}", daemon=True)

    def start(self) -> None:
        """Start the interval."""
        self._thread.start()

    def stop(self) -> None:
        """Stop invoking and kill a running invocation."""
        self._stopping.set()
        self._environment.close()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._seconds):
            event = scheduled_event(self._rule, datetime.now(UTC))
            try:
                self._environment.invoke(json.dumps(event).encode())
            except FunctionError as error:
                _log.warning("%s: %s", self._rule, error)


def run_schedules(environment: Mapping[str, str], log_dir: Path) -> Schedules:
    """Start the schedules of the stack and return at once.

    Args:
        environment: all environment variables of the functions.
        log_dir: receives the functions' logs.
    """
    return Schedules.start(
        Schedule(
            LambdaEnvironment(deployed(name, environment, log_dir), f"{name}-schedule"),
            f"{name}-every-minute",
        )
        for name in _SCHEDULED
    )


def scheduled_event(rule: str, now: datetime) -> dict[str, Any]:
    """Return the event that a rule sends to its function."""
    region = "us-east-1"
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": _ACCOUNT,
        "time": f"{now:%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [f"arn:aws:events:{region}:{_ACCOUNT}:rule/{rule}"],
        "detail": {},
    }
