"""Declares the topology on a broker, and explains conflicts with what exists there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, NamedTuple

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
    from collections.abc import Callable, Sequence

    from pika.adapters.blocking_connection import BlockingChannel

_PRECONDITION_FAILED: Final = 406
_COMMAND_INVALID: Final = 503
# inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value '60000' of type
# 'signedint' but current is the value '5000' of type 'signedint'
_INEQUIVALENT: Final = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for .*?: "
    r"received (?P<wanted>.+?) but current is (?P<actual>.+)"
)
_TYPED_VALUE: Final = re.compile(r"the value ('.*') of type '\w+'")
_REMEDIES: Final = {
    "queue": "Stop the publishers of such a queue, drain and delete it, and declare it again.",
    "exchange": (
        "Agree on such an exchange with the service that declared it, or delete it if nothing"
        " publishes to it."
    ),
    "plugin": (
        "Enable the broker's plugin rabbitmq_consistent_hash_exchange, or use one shard"
        " (docs/operations.md, Scaling)."
    ),
}


class Conflict(NamedTuple):
    """A declaration that the broker rejects."""

    kind: str
    """``queue``, ``exchange`` or ``plugin``, which decides what can be done."""
    text: str


class TopologyConflictError(Exception):
    """The broker rejects declarations; the text says which, why, and what to do."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        kinds = dict.fromkeys(conflict.kind for conflict in conflicts)
        super().__init__(
            "\n".join(
                (
                    f"{len(conflicts)} of the declarations conflict with the broker:",
                    *(conflict.text for conflict in conflicts),
                    *(_REMEDIES[kind] for kind in kinds),
                    "See docs/operations.md, Upgrade.",
                )
            )
        )
        self.conflicts = conflicts


def declare(
    channel: BlockingChannel, retry_delay_ms: int = RETRY_DELAY_MS, shards: int = 1
) -> None:
    """Declare exchanges, queues and bindings; idempotent.

    If the number of shards has changed, only bindings change. Queues that are no longer bound keep
    their messages.

    Raises:
        TopologyConflictError: queues or exchanges exist with other arguments, or the broker lacks
            the plugin that shards need. The channel is closed; other declarations remain, but no
            binding was changed.
    """
    declarations = _Declarations(channel)
    for name in (EVENTS_EXCHANGE, DEAD_LETTER_EXCHANGE):
        declarations.exchange(name, "topic")
    if shards > 1:
        declarations.exchange(UNSHARDED_EXCHANGE, "topic")
        arguments = {"hash-header": SHARD_KEY_HEADER, "alternate-exchange": UNSHARDED_EXCHANGE}
        for work in WORK_QUEUES:
            declarations.exchange(work.shards_exchange, "x-consistent-hash", arguments)
    for queue in queues(retry_delay_ms, shards):
        declarations.queue(queue.name, queue.arguments)
    if declarations.conflicts:
        raise TopologyConflictError(declarations.conflicts)
    for queue in queues(retry_delay_ms, shards):
        if queue.binding:
            channel.queue_bind(queue.name, queue.binding.exchange, queue.binding.routing_key)
    for work in WORK_QUEUES:
        _bind_shards(channel, work, shards)


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


class _Declarations:
    """Declares queues and exchanges, and collects the conflicts.

    The broker closes the channel on which a declaration conflicts, so the next one needs another.
    """

    def __init__(self, channel: BlockingChannel) -> None:
        self.conflicts: list[Conflict] = []
        self._channel = channel

    def exchange(self, name: str, type_: str, arguments: dict[str, Any] | None = None) -> None:
        """Declare a durable exchange.

        Raises:
            TopologyConflictError: the broker does not know the type, and closed the connection.
        """
        try:
            self._declare(
                "exchange",
                name,
                lambda channel: channel.exchange_declare(
                    name, type_, durable=True, arguments=arguments
                ),
            )
        except ConnectionClosedByBroker as error:
            if error.reply_code != _COMMAND_INVALID:
                raise
            text = f"exchange {name} cannot be declared: {error.reply_text}"
            raise TopologyConflictError([*self.conflicts, Conflict("plugin", text)]) from error

    def queue(self, name: str, arguments: dict[str, Any]) -> None:
        """Declare a durable queue."""
        self._declare(
            "queue",
            name,
            lambda channel: channel.queue_declare(name, durable=True, arguments=arguments),
        )

    def _declare(
        self, kind: str, name: str, declare_one: Callable[[BlockingChannel], object]
    ) -> None:
        try:
            declare_one(self._channel)
        except ChannelClosedByBroker as error:
            if error.reply_code != _PRECONDITION_FAILED:
                raise
            text = f"{kind} {name}: {_difference(error.reply_text)}"
            self.conflicts.append(Conflict(kind, text))
            self._channel = self._channel.connection.channel()


def _difference(reply: str) -> str:
    found = _INEQUIVALENT.search(reply)
    if not found:
        return f"exists with other arguments: {reply}"
    argument, wanted, actual = found.groups()
    short = [_TYPED_VALUE.sub(r"\1", value) for value in (wanted, actual)]
    # Values that differ only in type are shown with it.
    wanted, actual = short if short[0] != short[1] else (wanted, actual)
    return f"{argument} must be {wanted}, but is {actual}"
