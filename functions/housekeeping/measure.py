"""Measures the depth of the queues and the state of the mass-failure brake, for alarms.

RabbitMQ 4 on Amazon MQ does not report queue depths to CloudWatch. A passive declaration returns
the number of ready messages. Dead letters are counted in total: counting them by source would mean
fetching and returning all of them every minute, during which operators do not see them. Their
events are counted in ``scheduler_event_consumed_total{event_type, status="dead_lettered"}``.
"""

from __future__ import annotations

from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING, Final

from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from scheduler.database import brake
from scheduler.database.running_devices import count_running
from scheduler.messaging.publisher import parameters
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, WORK_QUEUES, WorkQueue, queues
from scheduler.observability.logger import service_logger
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_NOT_FOUND: Final = 404
_ROWS_PER_PART: Final = 100_000
_PARTS_PER_COUNT: Final = 5
"""Half a million devices are counted in one run."""

_logger: Final = service_logger()


def measure_queues(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Measure the depth of every queue, the dead letters, and the stranded messages."""
    with closing(BlockingConnection(parameters(tools.settings))) as connection:
        for queue in queues(shards=tools.settings.shards):
            depth = _depth(connection, queue.name)
            if depth is None:
                _logger.error("Queue is missing: declare the topology", extra={"queue": queue.name})
                continue
            if queue.name == DEAD_LETTER_QUEUE:
                metrics.set("scheduler_dead_letters", depth, queue=queue.name)
            else:
                metrics.set("scheduler_queue_depth", depth, queue=queue.name)
            yield 1
        stranded = sum(_stranded(connection, tools.settings.shards))
        metrics.set("scheduler_stranded_messages", stranded)


def measure_brake(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Count the running devices, of which the brake allows a share, and measure the brake.

    A very large fleet is counted in several runs. The metric raises the alarm and keeps it raised.
    """
    now = tools.clock()
    for _ in range(_PARTS_PER_COUNT):
        count = partial(count_running, rows=_ROWS_PER_PART, now=now)
        if tools.database.run(count):
            break
        yield 0
    with tools.database.transaction() as cursor:
        status = brake.read_status(cursor, now)
    engaged = status.state.engaged_at is not None
    metrics.set("scheduler_mass_failure_brake", int(engaged))
    if engaged:
        details = {"engaged_by": status.engaged_by, "held": status.held}
        _logger.error("Releases are held: scheduler-ops brake status", extra=details)
    yield int(engaged)


def _stranded(connection: BlockingConnection, shards: int) -> Iterator[int]:
    """Yield the number of messages of each queue of a removed shard, which nothing consumes."""
    for work in WORK_QUEUES:
        for number in range(shards, MAX_SHARDS):
            surplus = WorkQueue(work.event_type, number)
            depth = _depth(connection, surplus.name)
            if depth is None:
                break  # there were never more shards
            depth += _depth(connection, surplus.retry_name) or 0
            if depth:
                details = {"queue": surplus.name, "messages": depth}
                _logger.error("Messages are stranded: nothing consumes this queue", extra=details)
            yield depth


def _depth(connection: BlockingConnection, queue: str) -> int | None:
    """Return the number of ready messages; None for a missing queue."""
    # Each queue needs its own channel: the broker closes it if the queue does not exist.
    channel = connection.channel()
    try:
        depth: int = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    channel.close()
    return depth
