"""Amazon MQ's event source mappings: one per queue, each with a function of its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, Self

from local.event_source_mapping.mapping import STOP_GRACE_SECONDS, Batching, EventSourceMapping
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import DISPATCHER, deployed
from scheduler.messaging.topology import NOTIFICATION_QUEUE, work_queues

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path
    from types import TracebackType

WITHOUT_WINDOW: Final = Batching(window=0.0)
"""For the dispatcher: a nudge only signals that there is work, so batching has no benefit."""


class Mappings:
    """Running mappings; a context manager that stops them."""

    def __init__(self, mappings: Iterable[EventSourceMapping]) -> None:
        self._mappings = tuple(mappings)
        for mapping in self._mappings:
            mapping.start()

    def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Stop all mappings at the same time, see `EventSourceMapping.stop`."""
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
    """Start a mapping for each queue of the stack and return at once.

    The mappings wait for a broker that cannot be reached; functions start cold at their first
    batch. Each mapping has an execution environment of its own that logs to
    ``<log_dir>/<queue>.log``.

    Args:
        broker_url: e.g. ``amqp://user:password@127.0.0.1:30007/cloudphone``.
        environment: all environment variables of the functions.
        log_dir: receives the functions' logs.
        batching: batch size and window of the work queues.
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
        for queue, name, each in [*wanted, (NOTIFICATION_QUEUE, DISPATCHER, WITHOUT_WINDOW)]
    )
