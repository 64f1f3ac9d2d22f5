"""The measured events, and the users and devices they are about."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pika import BasicProperties

from events.bodies import FULLEST
from local.event_source_mapping.record import event_json, record_json
from scheduler.messaging.topology import VHOST, WORK_QUEUES, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pymysql.cursors import Cursor

HELD_FOR: Final = timedelta(hours=2, minutes=30)
"""How long devices have been held when a run begins; texts round it to 2 小时 30 分钟."""

_USERS: Final = """
    INSERT INTO users (id, max_devices) SELECT CONCAT('u', seq), 100000 FROM seq_0_to_{last}
"""
_DEVICES: Final = """
    INSERT INTO devices (id, name, status, cpu_cores, memory_mb, storage_mb)
    SELECT CONCAT('d', seq), CONCAT('Phone ', seq), 'allocated', 4, 8192, 65536
    FROM seq_0_to_{last}
"""
_ALLOCATIONS: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('00000000-0000-7000-8000-', LPAD(HEX(seq), 12, '0')),
           CONCAT('u', seq DIV {each}), CONCAT('d', seq), 'ALLOCATED', %s, %s
    FROM seq_0_to_{last}
"""


class QueuedEvent(NamedTuple):
    """An event in its queue."""

    queue: str
    message_id: str
    body: bytes

    @property
    def properties(self) -> BasicProperties:
        """Return the AMQP properties of the event."""
        return BasicProperties(
            content_type="application/json", delivery_mode=2, message_id=self.message_id
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """A type of event, its fields for subject number n, and the devices that each user holds."""

    name: str
    queue: WorkQueue
    fields: Callable[[int], dict[str, Any]]
    devices_each: int = 1

    @property
    def service(self) -> str:
        """Return the name of the function that consumes the events."""
        return f"{self.queue.family}-events"

    def events(self, numbers: Sequence[int], at: datetime) -> list[QueuedEvent]:
        """Return an event for each subject."""
        time = at.isoformat()
        return [
            QueuedEvent(
                self.queue.name,
                f"{self.queue.event_type}-{n}",
                json.dumps({**self.fields(n), "timestamp": time}, ensure_ascii=False).encode(),
            )
            for n in numbers
        ]


def invocations(events: Sequence[QueuedEvent], size: int) -> Iterator[bytes]:
    """Yield aws:rmq events with batches of one queue's events."""
    for start in range(0, len(events), size):
        batch = events[start : start + size]
        records = (record_json(e.properties, e.body, redelivered=False) for e in batch)
        yield event_json(batch[0].queue, VHOST, records)


def seed(cursor: Cursor, users: int, devices_each: int = 1) -> datetime:
    """Insert users that have held devices for `HELD_FOR`, and return the current time."""
    now = datetime.now(UTC)
    since, until = now - HELD_FOR, now + HELD_FOR
    last = users * devices_each - 1
    cursor.execute(_USERS.format(last=users - 1))
    cursor.execute(_DEVICES.format(last=last))
    cursor.execute(_ALLOCATIONS.format(last=last, each=devices_each), (since, until))
    return now


_SUBJECT: Final = {"device": ("deviceId", "d"), "user": ("userId", "u"), "billing": ("userId", "u")}
_OTHERWISE: Final[dict[str, dict[str, Any]]] = {
    "device.created": {"cpuCores": 8},
    "user.quota_updated": {"newQuota": {"maxDevices": 0}},
    "user.quota_exceeded": {"limit": 0},
}
"""Fields that differ from the catalogue's, so that each event changes a row of `seed`."""


def _workload(queue: WorkQueue) -> Workload:
    event_type = queue.event_type
    field, prefix = _SUBJECT[queue.family]
    body = FULLEST[event_type] | _OTHERWISE.get(event_type, {})
    return Workload(event_type, queue, lambda n: {**body, field: f"{prefix}{n}"})


ALL: Final = tuple(map(_workload, WORK_QUEUES))
_BY_NAME: Final = {workload.name: workload for workload in ALL}
DEVICE_FAILED: Final = _BY_NAME["device.failed"]
PAYMENT_FAILED: Final = _BY_NAME["billing.payment_failed"]
_SUSPENDED: Final = _BY_NAME["user.suspended"]
USER_SUSPENDED: Final = Workload("user.suspended × 10", _SUSPENDED.queue, _SUSPENDED.fields, 10)
