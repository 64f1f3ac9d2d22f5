"""Everything that exists on the broker, in one place.

Provisioning, the local platform, the tests and the template check all read this module;
no queue or exchange is named anywhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

VHOST: Final = "cloudphone"
EVENTS_EXCHANGE: Final = "cloudphone.events"
DEAD_LETTER_EXCHANGE: Final = "cloudphone.dlx"
DEAD_LETTER_QUEUE: Final = "scheduler.dead-letters"
NOTIFICATION_QUEUE: Final = "scheduler.notification-dispatch"

RETRY_DELAY_MS: Final = 60_000
DELIVERY_LIMIT: Final = 100
"""A backstop of the broker only; the functions count deliveries themselves."""


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
        {"x-queue-type": "quorum"},
        Binding(DEAD_LETTER_EXCHANGE, "scheduler.*.failed"),
    )
    yield Queue(NOTIFICATION_QUEUE, {"x-queue-type": "quorum"})


def declare(channel: BlockingChannel, retry_delay_ms: int = RETRY_DELAY_MS) -> None:
    """Declare exchanges, queues and bindings; harmless when they exist already.

    Raises:
        pika.exceptions.ChannelClosedByBroker: one exists with other arguments (code 406).
    """
    for exchange in (EVENTS_EXCHANGE, DEAD_LETTER_EXCHANGE):
        channel.exchange_declare(exchange, exchange_type="topic", durable=True)
    for queue in queues(retry_delay_ms):
        channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)
        if queue.binding:
            channel.queue_bind(queue.name, queue.binding.exchange, queue.binding.routing_key)


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
