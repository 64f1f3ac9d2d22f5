"""What Amazon MQ's event source mappings and Lambda are in production, on one machine."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from local.event_source_mapping.environment import LambdaEnvironment
from local.event_source_mapping.functions import DISPATCHER, deployed
from local.event_source_mapping.mapping import STOP_SECONDS, Batching, EventSourceMapping
from scheduler.messaging.topology import NOTIFICATION_QUEUE, work_queues

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

AT_ONCE: Final = Batching(window=0.0)
"""For the dispatcher: a nudge says only that there is work, so it need not wait for others."""


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
    shards: int = 1,
) -> Mappings:
    """Start a mapping for each queue of the stack and return when their threads run.

    A broker that is away is waited for; functions start cold at their first batch. Each mapping
    has an execution environment of its own, logging to ``<log_dir>/<queue>.log``.

    Args:
        broker_url: of the broker, e.g. ``amqp://user:password@127.0.0.1:30007/cloudphone``.
        environment: all environment variables of the functions.
        log_dir: receives the functions' logs.
        batching: of the work queues: records per batch and window.
        shards: queues per event.
    """
    wanted = [(queue.name, f"{queue.family}-events", batching) for queue in work_queues(shards)]
    return Mappings(
        EventSourceMapping(
            broker_url,
            queue,
            LambdaEnvironment(deployed(name, environment, log_dir), queue),
            each,
        )
        for queue, name, each in [*wanted, (NOTIFICATION_QUEUE, DISPATCHER, AT_ONCE)]
    )
