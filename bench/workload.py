"""The events that are measured, and the users and devices they speak of."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from pika import BasicProperties

from local.event_source_mapping.record import event_json, record_json
from scheduler.messaging.topology import VHOST, WORK_QUEUES, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pymysql.cursors import Cursor

HELD_FOR: Final = timedelta(hours=2, minutes=30)
"""How long devices were held when a run begins: for a minute its text says 2小时30分钟."""

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


class Published(NamedTuple):
    """An event as it lies in its queue."""

    queue: str
    message_id: str
    body: bytes

    @property
    def properties(self) -> BasicProperties:
        """Return its AMQP properties."""
        return BasicProperties(
            content_type="application/json", delivery_mode=2, message_id=self.message_id
        )


@dataclass(frozen=True, slots=True)
class Workload:
    """A kind of event about subject number n, and how many devices each user holds."""

    name: str
    queue: WorkQueue
    fields: Callable[[int], dict[str, Any]]
    devices_each: int = 1

    @property
    def service(self) -> str:
        """Return the function that consumes it."""
        return f"{self.queue.family}-events"

    def events(self, numbers: Sequence[int], at: datetime) -> list[Published]:
        """Return an event about each subject."""
        time = at.isoformat()
        return [
            Published(
                self.queue.name,
                f"{self.queue.event_type}-{n}",
                json.dumps({**self.fields(n), "timestamp": time}, ensure_ascii=False).encode(),
            )
            for n in numbers
        ]


def invocations(events: Sequence[Published], size: int) -> Iterator[bytes]:
    """Yield the aws:rmq events that bring events of one queue in batches."""
    for start in range(0, len(events), size):
        batch = events[start : start + size]
        records = (record_json(e.properties, e.body, redelivered=False) for e in batch)
        yield event_json(batch[0].queue, VHOST, records)


def seed(cursor: Cursor, users: int, devices_each: int = 1) -> datetime:
    """Insert users who hold devices since `HELD_FOR`, and return the present."""
    now = datetime.now(UTC)
    since, until = now - HELD_FOR, now + HELD_FOR
    last = users * devices_each - 1
    cursor.execute(_USERS.format(last=users - 1))
    cursor.execute(_DEVICES.format(last=last))
    cursor.execute(_ALLOCATIONS.format(last=last, each=devices_each), (since, until))
    return now


def _user(n: int) -> dict[str, Any]:
    return {"userId": f"u{n}"}


def _device(n: int) -> dict[str, Any]:
    return {"deviceId": f"d{n}"}


_FIELDS: Final[dict[str, Callable[[int], dict[str, Any]]]] = {
    "device.failed": lambda n: {**_device(n), "reason": "Docker container crashed"},
    "device.deleted": _device,
    "device.status_changed": lambda n: {
        **_device(n),
        "oldStatus": "running",
        "newStatus": "stopped",
    },
    "device.maintenance": lambda n: {
        **_device(n),
        "maintenanceType": "系统升级",
        "estimatedDuration": 30,
    },
    "device.created": lambda n: {**_device(n), "name": f"Phone {n}", "cpuCores": 8},
    "user.deleted": _user,
    "user.suspended": lambda n: {**_user(n), "reason": "违反服务条款"},
    "user.quota_updated": lambda n: {
        **_user(n),
        "oldQuota": {"maxDevices": 8},
        "newQuota": {"maxDevices": 0},
    },
    "user.quota_exceeded": lambda n: {
        **_user(n),
        "quotaType": "devices",
        "current": 1,
        "limit": 0,
    },
    "user.activated": _user,
    "billing.payment_failed": lambda n: {**_user(n), "amount": 150.5, "reason": "余额不足"},
    "billing.balance_low": lambda n: {**_user(n), "currentBalance": 8.5, "threshold": 20},
    "billing.overdue": lambda n: {**_user(n), "overdueAmount": 150.5, "overdueDays": 7},
    "billing.payment_success": lambda n: {**_user(n), "amount": 100, "newBalance": 250},
    "billing.recharged": lambda n: {**_user(n), "amount": 200, "newBalance": 450},
}
ALL: Final = tuple(
    Workload(queue.event_type, queue, _FIELDS[queue.event_type]) for queue in WORK_QUEUES
)
_BY_NAME: Final = {workload.name: workload for workload in ALL}
DEVICE_FAILED: Final = _BY_NAME["device.failed"]
PAYMENT_FAILED: Final = _BY_NAME["billing.payment_failed"]
_SUSPENDED: Final = _BY_NAME["user.suspended"]
USER_SUSPENDED: Final = Workload("user.suspended × 10", _SUSPENDED.queue, _SUSPENDED.fields, 10)
