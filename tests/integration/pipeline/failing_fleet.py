"""Devices that fail, and the mass-failure brake that holds their releases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.database import brake, running_devices
from scheduler.domain.brake import BrakeLimits
from scheduler.messaging.topology import WORK_QUEUES
from tests.support.events import message
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.messaging.message import Message
    from tests.support.store import Store

LIMITS = BrakeLimits(share=0.2, devices=5)
FLEET = 50
"""Running devices, all of them allocated; ten of them may fail within a minute."""

RETRIES = {queue.event_type: queue.retry_name for queue in WORK_QUEUES}


def failed(n: int, **fields: Any) -> Message:  # noqa: ANN401 - any field
    return message("device.failed", id=f"failed-{n}", deviceId=f"d{n}", **fields)


def stopped(n: int) -> Message:
    return message(
        "device.status_changed",
        id=f"stopped-{n}",
        deviceId=f"d{n}",
        oldStatus="running",
        newStatus="stopped",
    )


def released(store: Store) -> int:
    ((count,),) = store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'RELEASED'")
    return int(count)


def decide(store: Store, decision: Callable[..., None], *when: datetime) -> None:
    with store.database.transaction() as cursor:
        decision(cursor, *when)


def count_running(cursor: Cursor, now: datetime) -> None:
    assert running_devices.count_running(cursor, FLEET + 1, now)


def status(store: Store, now: datetime = NOW) -> brake.BrakeStatus:
    with store.database.transaction() as cursor:
        return brake.read_status(cursor, now)
