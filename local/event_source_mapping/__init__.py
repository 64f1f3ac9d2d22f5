"""What Amazon MQ's event source mappings and Lambda are in production, on one machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from local.event_source_mapping.environment import Function, LambdaEnvironment
from local.event_source_mapping.mapping import STOP_SECONDS, Batching, EventSourceMapping
from scheduler.messaging.topology import WORK_QUEUES, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

EVENT_FUNCTION_TIMEOUT: Final = 120.0


class Mappings:
    """Running mappings; leaving the context stops them."""

    def __init__(self, mappings: Iterable[EventSourceMapping]) -> None:
        self._mappings = tuple(mappings)
        for mapping in self._mappings:
            mapping.start()

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """Stop all of them together, within one grace; see `EventSourceMapping.stop`."""
        deadline = time.monotonic() + grace
        for mapping in self._mappings:
            mapping.request_stop()
        for mapping in self._mappings:
            mapping.stop(max(0.0, deadline - time.monotonic()))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def run_mappings(
    broker_url: str,
    environment: Mapping[str, str],
    log_dir: Path,
    *,
    batching: Batching = Batching(),  # noqa: B008 - frozen
    timeout_seconds: float = EVENT_FUNCTION_TIMEOUT,
) -> Mappings:
    """Start one mapping per work queue and return when their threads run.

    A broker that is away is waited for; functions start cold at their first batch. Each mapping
    has an execution environment of its own, logging to ``<log_dir>/<queue>.log``.

    Args:
        broker_url: of the broker, e.g. ``amqp://user:password@127.0.0.1:30007/cloudphone``.
        environment: all environment variables of the functions.
        log_dir: receives the functions' logs.
        batching: records per batch and window.
        timeout_seconds: the functions' timeout.
    """
    return Mappings(
        EventSourceMapping(
            broker_url,
            queue.name,
            LambdaEnvironment(_function(queue, environment, log_dir, timeout_seconds), queue.name),
            batching,
        )
        for queue in WORK_QUEUES
    )


def _function(
    queue: WorkQueue, environment: Mapping[str, str], log_dir: Path, timeout_seconds: float
) -> Function:
    name = f"{queue.family}-events"
    return Function(
        name=name,
        handler=f"{queue.family}_events.app.handler",
        variables={**environment, "POWERTOOLS_SERVICE_NAME": name},
        log_dir=log_dir,
        timeout_seconds=timeout_seconds,
    )
