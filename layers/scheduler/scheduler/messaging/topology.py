"""Everything that exists on the broker, in one place.

Provisioning, the local platform, the tests and the template check all read this module;
no queue or exchange is named anywhere else.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

VHOST: Final = "cloudphone"
EVENTS_EXCHANGE: Final = "cloudphone.events"
DEAD_LETTER_EXCHANGE: Final = "cloudphone.dlx"
DEAD_LETTER_QUEUE: Final = "scheduler.dead-letters"
NOTIFICATION_QUEUE: Final = "scheduler.notification-dispatch"

RETRY_DELAY_MS: Final = 60_000
DELIVERY_LIMIT: Final = 100
"""A backstop of the broker only; the functions count deliveries themselves."""
NO_DELIVERY_LIMIT: Final = 2**31 - 1
"""A limit never reached: looking at dead letters delivers each, and beyond its limit it is dropped.

RabbitMQ 4 takes 20 when the argument is absent. Its -1 for "unlimited" would be no better: on 3.x
it drops a message at its first return (tried on 3.10.8; rabbitmq-server#12250).
"""

_PRECONDITION_FAILED: Final = 406
_INEQUIVALENT: Final = re.compile(
    r"inequivalent arg '(?P<argument>[^']+)' for (?P<kind>queue|exchange) .*?: "
    r"received (?P<wanted>.+?) but current is (?P<actual>.+)"
)


@dataclass(frozen=True, slots=True)
class WorkQueue:
    """The queue of one event type and the function family that consumes it."""

    event_type: str

    @property
    def family(self) -> str:
        """Return ``device``, ``user`` or ``billing``: the function that consumes the queue."""
        return self.event_type.partition(".")[0]

    @property
    def name(self) -> str:
        """Return the queue's name, e.g. ``scheduler.device-status-changed``."""
        return "scheduler." + self.event_type.replace(".", "-").replace("_", "-")

    @property
    def retry_name(self) -> str:
        """Return the name of the queue in which a failed message waits for its next attempt."""
        return f"{self.name}.retry"

    @property
    def dead_letter_key(self) -> str:
        """Return the routing key under which this queue's dead letters are published."""
        return f"{self.name}.failed"


WORK_QUEUES: Final = tuple(
    WorkQueue(event_type)
    for event_type in (
        "device.failed",
        "device.deleted",
        "device.status_changed",
        "device.maintenance",
        "device.created",
        "user.deleted",
        "user.suspended",
        "user.quota_updated",
        "user.quota_exceeded",
        "user.activated",
        "billing.payment_failed",
        "billing.balance_low",
        "billing.overdue",
        "billing.payment_success",
        "billing.recharged",
    )
)
WORK_QUEUE_BY_NAME: Final = {queue.name: queue for queue in WORK_QUEUES}


@dataclass(frozen=True, slots=True)
class Binding:
    """A route from an exchange into a queue."""

    exchange: str
    routing_key: str


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue as it must be declared."""

    name: str
    arguments: dict[str, Any]
    binding: Binding | None = None


def queues(retry_delay_ms: int = RETRY_DELAY_MS) -> Iterator[Queue]:
    """Yield every queue of the product with its arguments and its binding.

    Args:
        retry_delay_ms: how long a failed message waits before its next attempt, in milliseconds.
    """
    for work in WORK_QUEUES:
        yield Queue(work.name, _work_arguments(work), Binding(EVENTS_EXCHANGE, work.event_type))
        yield Queue(work.retry_name, _retry_arguments(work, retry_delay_ms))
    yield Queue(
        DEAD_LETTER_QUEUE,
        {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT},
        Binding(DEAD_LETTER_EXCHANGE, "scheduler.*.failed"),
    )
    yield Queue(NOTIFICATION_QUEUE, {"x-queue-type": "quorum"})


class TopologyConflictError(Exception):
    """An exchange or queue exists with another argument than ours; the text says what to do."""


def declare(channel: BlockingChannel, retry_delay_ms: int = RETRY_DELAY_MS) -> None:
    """Declare exchanges, queues and bindings; harmless when they exist already.

    Raises:
        TopologyConflictError: one exists with another argument. The channel is closed; what
            was declared before stays.
    """
    for exchange in (EVENTS_EXCHANGE, DEAD_LETTER_EXCHANGE):
        _declaring(channel.exchange_declare, exchange, exchange_type="topic", durable=True)
    for queue in queues(retry_delay_ms):
        _declaring(channel.queue_declare, queue.name, durable=True, arguments=queue.arguments)
        if queue.binding:
            channel.queue_bind(queue.name, queue.binding.exchange, queue.binding.routing_key)


def _declaring(declare_one: Callable[..., object], name: str, **arguments: object) -> None:
    from pika.exceptions import ChannelClosedByBroker  # noqa: PLC0415 - 100 ms no rule needs

    try:
        declare_one(name, **arguments)
    except ChannelClosedByBroker as error:
        if error.reply_code != _PRECONDITION_FAILED:
            raise
        raise TopologyConflictError(_conflict(name, error.reply_text)) from error


def _conflict(name: str, reply: str) -> str:
    # RabbitMQ: inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received the value
    # '60000' of type 'signedint' but current is the value '5000' of type 'signedint'
    found = _INEQUIVALENT.search(reply)
    if not found:
        return f"{name} exists with other arguments: {reply}"
    argument, kind, wanted, actual = found.groups()
    remedy = (
        "stop its publishers, drain and delete it, then declare again"
        if kind == "queue"
        else "agree with the service that made it, or delete it when nothing publishes to it"
    )
    return (
        f"{kind} {name} exists with another {argument}: we need {wanted}, it has {actual};"
        f" {remedy} (docs/operations.md, Upgrade)"
    )


def _work_arguments(queue: WorkQueue) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": queue.dead_letter_key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": DELIVERY_LIMIT,
    }


def _retry_arguments(queue: WorkQueue, delay_ms: int) -> dict[str, Any]:
    # The default exchange routes by queue name: after its TTL the message is back in its queue.
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": delay_ms,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
