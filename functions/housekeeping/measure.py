"""Asks the broker how full its queues are: RabbitMQ 4 on Amazon MQ tells CloudWatch nothing of it.

A passive declaration answers how many messages are ready. Dead letters are counted as a whole:
counting them by source would mean taking and returning every one of them each minute, hidden from
operators meanwhile. Which event they come from is in
``scheduler_event_consumed_total{event_type, status="dead_lettered"}``.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger
from pika import BlockingConnection
from pika.exceptions import ChannelClosedByBroker

from scheduler.messaging.publisher import parameters
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, WORK_QUEUES, WorkQueue, queues
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_NOT_FOUND: Final = 404

_logger: Final = Logger()


def measure(tools: Tools, metrics: Metrics) -> Iterator[int]:
    """Measure the depth of every queue, how many dead letters there are, and what is stranded."""
    with closing(BlockingConnection(parameters(tools.settings))) as connection:
        for queue in queues(shards=tools.settings.shards):
            depth = _depth(connection, queue.name)
            if depth is None:
                _logger.error("Queue is missing: declare the topology", extra={"queue": queue.name})
                continue
            dead = queue.name == DEAD_LETTER_QUEUE
            name = "scheduler_dead_letters" if dead else "scheduler_queue_depth"
            metrics.add(name, depth, queue=queue.name)
            yield 1
        stranded = sum(_stranded(connection, tools.settings.shards))
        metrics.add("scheduler_stranded_messages", stranded)


def _stranded(connection: BlockingConnection, shards: int) -> Iterator[int]:
    """Yield how many messages are in each queue of a shard that there was: nothing consumes it."""
    for work in WORK_QUEUES:
        for number in range(shards, MAX_SHARDS):
            surplus = WorkQueue(work.event_type, number)
            depth = _depth(connection, surplus.name)
            if depth is None:
                break  # so there were never more
            depth += _depth(connection, surplus.retry_name) or 0
            if depth:
                details = {"queue": surplus.name, "messages": depth}
                _logger.error("Messages are stranded: nothing consumes this queue", extra=details)
            yield depth


def _depth(connection: BlockingConnection, queue: str) -> int | None:
    """Return how many messages are ready; None for a queue that does not exist."""
    # A channel of its own: the broker closes it when the queue does not exist.
    channel = connection.channel()
    try:
        depth: int = channel.queue_declare(queue, passive=True).method.message_count
    except ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND:
            raise
        return None
    channel.close()
    return depth
