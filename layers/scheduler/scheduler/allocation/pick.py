"""Takes a free device out of the pool: its row is locked until the transaction ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final

from scheduler.allocation.quota import ANY_ROOM, UNLIMITED, Room, Wish
from scheduler.allocation.refusal import Refusal, RefusedError
from scheduler.domain.model import Device, DeviceStatus, Health
from scheduler.settings import AllocationStrategy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pymysql.cursors import Cursor

_FREE: Final = """
    status = 'available' AND health = 'running'
    AND cpu_cores BETWEEN %s AND %s AND memory_mb BETWEEN %s AND %s
"""
# The index is forced because a small table tempts the optimizer to read, and thereby lock, all.
_SELECT: Final = """
    SELECT id, name, status, health, cpu_cores, memory_mb, storage_mb
    FROM devices FORCE INDEX ({index}) WHERE {free} {more} ORDER BY {order} LIMIT 1
    FOR UPDATE SKIP LOCKED
"""
_BEST_FIT: Final = _SELECT.format(
    index="best_fit", free=_FREE, more="", order="cpu_cores, memory_mb, id"
)
_LONGEST_UNUSED: Final = _SELECT.format(
    index="longest_unused", free=_FREE, more="", order="last_allocated_at, id"
)
_LOT_FROM: Final = _SELECT.format(
    index="lottery", free=_FREE, more="AND lot >= %s", order="lot, id"
)
_LOT_BEFORE: Final = _SELECT.format(
    index="lottery", free=_FREE, more="AND lot < %s", order="lot, id"
)
_IS_FREE: Final = f"""
    SELECT 1 FROM devices FORCE INDEX (best_fit) WHERE {_FREE} LIMIT 1
"""  # noqa: S608 - both are constants

_LOTS: Final = 1 << 32


class PoolContendedError(Exception):
    """Others hold the rows of all devices that look free: soon they are taken, or free again."""


def pick(cursor: Cursor, strategy: AllocationStrategy, wish: Wish, room: Room) -> Device:
    """Lock and return a free, running device that meets the wish and fits into the room.

    A device that another transaction holds is skipped, and that one may still roll back: so a
    refusal wants a plain read, which sees what is committed, to find nothing either.

    Raises:
        RefusedError: there is none.
        PoolContendedError: there may be one; end this transaction and try again a little later.
    """
    if device := _lock_one(cursor, strategy, wish, room):
        return device
    if _is_free(cursor, wish, room):
        raise PoolContendedError
    raise RefusedError(*_why_not(cursor, wish, room))


def _lock_one(
    cursor: Cursor, strategy: AllocationStrategy, wish: Wish, room: Room
) -> Device | None:
    for statement, parameters in _statements(strategy, wish, room):
        cursor.execute(statement, parameters)
        if row := cursor.fetchone():
            return _device(*row)
    return None


def _statements(
    strategy: AllocationStrategy, wish: Wish, room: Room
) -> Iterator[tuple[str, tuple[int, ...]]]:
    bounds = _bounds(wish, room)
    match strategy:
        case AllocationStrategy.RESOURCE_BASED:
            yield _BEST_FIT, bounds
        case AllocationStrategy.ROUND_ROBIN:
            yield _LONGEST_UNUSED, bounds
        case AllocationStrategy.RANDOM:
            lot = random.randrange(_LOTS)  # noqa: S311 - a fair draw, no secret
            yield _LOT_FROM, (*bounds, lot)
            yield _LOT_BEFORE, (*bounds, lot)


def _is_free(cursor: Cursor, wish: Wish, room: Room) -> bool:
    return bool(cursor.execute(_IS_FREE, _bounds(wish, room)))


def _why_not(cursor: Cursor, wish: Wish, room: Room) -> tuple[Refusal, dict[str, Any]]:
    if room == ANY_ROOM or not _is_free(cursor, wish, ANY_ROOM):
        return Refusal.NO_DEVICE_AVAILABLE, {}
    left = {"cpuCores": room.cpu_cores, "memoryMB": room.memory_mb}
    limited = {name: value for name, value in left.items() if value != UNLIMITED}
    return Refusal.QUOTA_EXCEEDED, {"left": limited}


def _bounds(wish: Wish, room: Room) -> tuple[int, int, int, int]:
    return wish.cpu_cores, room.cpu_cores, wish.memory_mb, room.memory_mb


def _device(
    id_: str, name: str, status: str, health: str, cpu: int, memory: int, storage: int
) -> Device:
    return Device(id_, name, DeviceStatus(status), Health(health), cpu, memory, storage)
