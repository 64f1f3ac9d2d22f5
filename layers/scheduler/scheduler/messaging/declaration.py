"""Declares the topology on a broker, and explains conflicts with what exists there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from pika.exceptions import ChannelClosedByBroker, ConnectionClosedByBroker

from scheduler.messaging.topology import (
    ANY_WEIGHT,
    DEAD_LETTER_EXCHANGE,
    EVENTS_EXCHANGE,
    RETRY_DELAY_MS,
    SHARD_KEY_HEADER,
    UNSHARDED_EXCHANGE,
    WORK_QUEUES,
    WorkQueue,
    queues,
)
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pika.adapters.blocking_connection import BlockingChannel

_PRECONDITION_FAILED: Final = 406
_COMMAND_INVALID: Final = 503
_INEQUIVALENT: Final = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>queue|exchange) .*?: "
    r"received (?P<wanted>.+?) but current is (?P<actual>.+)"
)


class TopologyConflictError(Exception):
    """The broker rejects a declaration; the text says why, and what to do."""


def declare(
    channel: BlockingChannel, retry_delay_ms: int = RETRY_DELAY_MS, shards: int = 1
) -> None:
    """Declare exchanges, queues and bindings; idempotent.

    If the number of shards has changed, only bindings change. Queues that are no longer bound keep
    their messages.

    Raises:
        TopologyConflictError: a queue or exchange exists with other arguments, or the broker lacks
            the plugin that shards need. The channel is closed; earlier declarations remain.
    """
    for exchange in (EVENTS_EXCHANGE, DEAD_LETTER_EXCHANGE):
        _declare(channel.exchange_declare, exchange, exchange_type="topic", durable=True)
    if shards > 1:
        _declare_shards_exchanges(channel)
    for queue in queues(retry_delay_ms, shards):
        _declare(channel.queue_declare, queue.name, durable=True, arguments=queue.arguments)
        if queue.binding:
            channel.queue_bind(queue.name, queue.binding.exchange, queue.binding.routing_key)
    for work in WORK_QUEUES:
        _bind_shards(channel, work, shards)


def _declare_shards_exchanges(channel: BlockingChannel) -> None:
    declare_one = channel.exchange_declare
    _declare(declare_one, UNSHARDED_EXCHANGE, exchange_type="topic", durable=True)
    arguments = {"hash-header": SHARD_KEY_HEADER, "alternate-exchange": UNSHARDED_EXCHANGE}
    for work in WORK_QUEUES:
        _declare(
            declare_one,
            work.shards_exchange,
            exchange_type="x-consistent-hash",
            durable=True,
            arguments=arguments,
        )


def _bind_shards(channel: BlockingChannel, work: WorkQueue, shards: int) -> None:
    """Bind the new route before the old one is unbound; what arrives twice is applied once."""
    if shards == 1:
        channel.exchange_delete(work.shards_exchange)
        return
    channel.queue_bind(work.name, UNSHARDED_EXCHANGE, work.event_type)
    channel.exchange_bind(work.shards_exchange, EVENTS_EXCHANGE, work.event_type)
    channel.queue_unbind(work.name, EVENTS_EXCHANGE, work.event_type)
    for number in range(shards, MAX_SHARDS):
        surplus = WorkQueue(work.event_type, number).name
        channel.queue_unbind(surplus, work.shards_exchange, ANY_WEIGHT)


def _declare(declare_one: Callable[..., object], name: str, **arguments: object) -> None:
    try:
        declare_one(name, **arguments)
    except ConnectionClosedByBroker as error:
        if error.reply_code != _COMMAND_INVALID:
            raise
        raise TopologyConflictError(_missing_plugin(name, error.reply_text)) from error
    except ChannelClosedByBroker as error:
        if error.reply_code != _PRECONDITION_FAILED:
            raise
        raise TopologyConflictError(_conflict(name, error.reply_text)) from error


def _missing_plugin(name: str, reply: str) -> str:
    return (
        f"exchange {name} cannot be declared: {reply}; enable the broker's plugin"
        " rabbitmq_consistent_hash_exchange, or use one shard (docs/operations.md, Scaling)"
    )


def _conflict(name: str, reply: str) -> str:
    # RabbitMQ: inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value
    # '60000' of type 'signedint' but current is the value '5000' of type 'signedint'
    found = _INEQUIVALENT.search(reply)
    if not found:
        return f"{name} exists with other arguments: {reply}"
    argument, kind, wanted, actual = found.groups()
    remedy = (
        "stop its publishers, drain and delete it, then declare it again"
        if kind == "queue"
        else "agree with the service that declared it, or delete it if nothing publishes to it"
    )
    return (
        f"{kind} {name} exists with another {argument}: needed is {wanted}, it has {actual};"
        f" {remedy} (docs/operations.md, Upgrade)"
    )
