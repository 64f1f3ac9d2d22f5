"""The exchanges, queues and bindings of the broker.

Provisioning, the local platform, the generated lists of events and the tests read this module. No
other module names a queue or exchange.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

VHOST: Final = "cloudphone"
EVENTS_EXCHANGE: Final = "cloudphone.events"
DEAD_LETTER_EXCHANGE: Final = "cloudphone.dlx"
DEAD_LETTER_QUEUE: Final = "scheduler.dead-letters"
NOTIFICATION_QUEUE: Final = "scheduler.notification-dispatch"

RETRY_DELAY_MS: Final = 60_000
NO_DELIVERY_LIMIT: Final = 2**31 - 1
"""Practically unlimited: while the broker refuses publishers, as during a memory alarm, batches
with a message to retry are returned again and again, and a limit would dead-letter their good
messages without a reason. The functions count deliveries themselves. Dead letters are returned
whenever they are listed; beyond a limit the broker would drop them.

Without the argument, RabbitMQ 4 takes 20. Its value for "unlimited", -1, makes 3.x drop a message
when it is first returned (observed on 3.10.8; rabbitmq-server#12250).
"""

SHARD_KEY_HEADER: Final = "x-shard-key"
"""Header with the id of the user or device; messages without it go to one shard."""
UNSHARDED_EXCHANGE: Final = "scheduler.unsharded"
"""Alternate exchange: routes to an event's first queue what its shards exchange cannot route.

This has happened after a node restarted: rabbitmq-server#3386, "Bucket not found".
"""
ANY_WEIGHT: Final = "1"
"""Routing key of the bindings to a consistent-hash exchange: the weight, equal for all."""


class WorkQueue(NamedTuple):
    """A queue of one event type.

    An event that needs several consumers at a time has several queues, its shards. The first one
    has no number in its name, so it exists with any number of shards.
    """

    event_type: str
    shard: int = 0

    @property
    def family(self) -> str:
        """Return the family whose function consumes it: ``device``, ``user`` or ``billing``."""
        return self.event_type.partition(".")[0]

    @property
    def name(self) -> str:
        """Return the queue's name, e.g. ``scheduler.device-status-changed`` or ``….2``."""
        return f"{self._event_name}.{self.shard}" if self.shard else self._event_name

    @property
    def retry_name(self) -> str:
        """Return the name of the queue in which a failed message waits for its next attempt."""
        return f"{self.name}.retry"

    @property
    def dead_letter_key(self) -> str:
        """Return the routing key under which the event's dead letters are published."""
        return f"{self._event_name}.failed"

    @property
    def shards_exchange(self) -> str:
        """Return the name of the exchange that distributes the event's messages to its shards."""
        return f"{self._event_name}.shards"

    @property
    def _event_name(self) -> str:
        return "scheduler." + self.event_type.replace(".", "-").replace("_", "-")


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
_BY_ANY_NAME: Final = {
    queue.name: queue
    for shard in range(MAX_SHARDS)
    for queue in (WorkQueue(work.event_type, shard) for work in WORK_QUEUES)
}


def subject_field(event_type: str) -> str:
    """Return the field of an event that names what it is about: a device or a user."""
    return "deviceId" if event_type.startswith("device.") else "userId"


def event_queue(name: str) -> tuple[str, int]:
    """Return the name of the event's first queue, and the number of the shard that is named.

    A message has the same identity in every shard. Names of other queues are returned unchanged.
    """
    queue = _BY_ANY_NAME.get(name)
    return (WorkQueue(queue.event_type).name, queue.shard) if queue else (name, 0)


def work_queues(shards: int = 1) -> Iterator[WorkQueue]:
    """Yield every work queue, given the number of shards of each event."""
    for work in WORK_QUEUES:
        for shard in range(shards):
            yield WorkQueue(work.event_type, shard)


class Binding(NamedTuple):
    """A route from an exchange into a queue."""

    exchange: str
    routing_key: str


class Queue(NamedTuple):
    """A durable quorum queue with its arguments."""

    name: str
    arguments: dict[str, Any]
    binding: Binding | None = None


def queues(retry_delay_ms: int = RETRY_DELAY_MS, shards: int = 1) -> Iterator[Queue]:
    """Yield every queue with its arguments and its binding.

    Args:
        retry_delay_ms: how long a failed message waits before its next attempt, in milliseconds.
        shards: queues per event.
    """
    for work in work_queues(shards):
        yield Queue(work.name, _work_arguments(work), _work_binding(work, shards))
        yield Queue(work.retry_name, _retry_arguments(work, retry_delay_ms))
    yield Queue(
        DEAD_LETTER_QUEUE,
        {"x-queue-type": "quorum", "x-delivery-limit": NO_DELIVERY_LIMIT},
        Binding(DEAD_LETTER_EXCHANGE, "scheduler.*.failed"),
    )
    yield Queue(NOTIFICATION_QUEUE, {"x-queue-type": "quorum"})


def _work_binding(queue: WorkQueue, shards: int) -> Binding:
    if shards == 1:
        return Binding(EVENTS_EXCHANGE, queue.event_type)
    return Binding(queue.shards_exchange, ANY_WEIGHT)


def _work_arguments(queue: WorkQueue) -> dict[str, Any]:
    return {
        "x-queue-type": "quorum",
        "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE,
        "x-dead-letter-routing-key": queue.dead_letter_key,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
        "x-delivery-limit": NO_DELIVERY_LIMIT,
    }


def _retry_arguments(queue: WorkQueue, delay_ms: int) -> dict[str, Any]:
    # After its TTL, the default exchange routes the message back to its queue, by name.
    return {
        "x-queue-type": "quorum",
        "x-message-ttl": delay_ms,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": queue.name,
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
