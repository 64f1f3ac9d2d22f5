"""Runs one worker per channel and one for outgoing events, in parallel."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.invocation import MAX_SEND_SECONDS, Invocation
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.observability.emf import Metrics, Unit
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from notification_dispatch.channel_worker import ChannelWorker
    from scheduler.deadline import Deadline
    from scheduler.domain.notices import Channel
    from scheduler.outbox.delivery import DeliveryOutcome
    from scheduler.outbox.outgoing_events import OutgoingEvents

logger: Final = service_logger()


class Dispatcher:
    """The workers, which stay warm between invocations."""

    def __init__(
        self,
        channel_workers: Sequence[ChannelWorker],
        events: OutgoingEvents,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        max_send_seconds: float = MAX_SEND_SECONDS,
    ) -> None:
        self._channel_workers = channel_workers
        self._events = events
        self._clock = clock
        self._max_send_seconds = max_send_seconds
        self._threads = ThreadPoolExecutor(len(channel_workers) + 1, thread_name_prefix="worker")

    def run(self, deadline: Deadline) -> dict[str, int]:
        """Work until nothing is due or the time is up; return counts by channel and outcome.

        A database outage is logged, not raised: the nudge would only be redelivered at once, and
        the schedule invokes the dispatcher again within a minute.
        """
        workers = self._channel_workers
        invocation = Invocation(deadline, len(workers) + 1, self._max_send_seconds)
        publishing = self._threads.submit(_publish_events, self._events, invocation)
        sending = {one.channel: self._threads.submit(one.work, invocation) for one in workers}
        futures: list[Future[Any]] = [publishing, *sending.values()]
        wait(futures)
        outcomes = {
            channel: worker.result()
            for channel, worker in sending.items()
            if not worker.exception()
        }
        published = 0 if publishing.exception() else publishing.result()
        counts = _report(outcomes, published, invocation.delays, self._clock())
        _raise_bugs(futures)
        return counts


def _publish_events(events: OutgoingEvents, invocation: Invocation) -> int:
    """Publish events until the invocation ends; return how many."""
    published = 0
    try:
        while not invocation.time_is_up:
            if new := events.publish_next():
                published += new
            elif not invocation.wait_for_work():
                return published
    except BrokerUnavailableError as error:
        logger.warning("Outgoing events wait", extra={"error": str(error)})
    except BaseException:
        invocation.leave()
        raise
    invocation.leave()
    return published


def _report(
    outcomes: Mapping[Channel, Mapping[DeliveryOutcome, int]],
    published: int,
    delays: Mapping[Channel, Sequence[float]],
    now: datetime,
) -> dict[str, int]:
    """Write the log line and the metrics of an invocation; return the counts."""
    metrics = Metrics()
    counts = {"published": published}
    for channel, by_outcome in outcomes.items():
        for outcome, number in by_outcome.items():
            metrics.add("scheduler_notifications_total", number, channel=channel, status=outcome)
            counts[f"{channel}_{outcome}"] = number
    for channel, seconds in delays.items():
        metrics.observe(
            "scheduler_notification_delay_seconds", seconds, Unit.SECONDS, channel=channel
        )
    metrics.flush(now)
    logger.info("Dispatched", extra={"counts": counts})
    return counts


def _raise_bugs(futures: Iterable[Future[Any]]) -> None:
    for failure in {type(error): error for f in futures if (error := f.exception())}.values():
        if not isinstance(failure, DatabaseUnavailableError):
            raise failure
        logger.error("Database unavailable", extra={"error": str(failure)})
