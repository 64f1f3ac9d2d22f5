"""Takes free devices out of the pool: their rows are locked until the transaction ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.allocation.quota import ANY_ROOM, UNLIMITED, Room, Wish
from scheduler.allocation.refusal import Refusal, RefusedError
from scheduler.domain.model import Device, DeviceStatus, Health
from scheduler.settings import AllocationStrategy

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

# The devices of this transaction look free to it until it writes. One that is promised to somebody
# (`scheduler.allocation.reservation`) is free for those only who give it back before.
_FREE: Final = """
    status = 'available' AND health = 'running'
    AND cpu_cores BETWEEN %s AND %s AND memory_mb BETWEEN %s AND %s AND id NOT IN %s
    AND NOT EXISTS (
        SELECT 1 FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = devices.id AND r.status = 'RESERVED' AND r.starts_at < %s)
"""
# The index is forced because a small table tempts the optimizer to read, and thereby lock, all.
_SELECT: Final = """
    SELECT id, name, status, health, cpu_cores, memory_mb, storage_mb, adb_host, adb_port, (
        SELECT MIN(r.starts_at) FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = devices.id AND r.status = 'RESERVED')
    FROM devices FORCE INDEX ({index}) WHERE {free} {more} ORDER BY {order} LIMIT %s
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
_NO_IDS: Final = ("",)
"""What an IN list holds that would otherwise be empty, which SQL does not allow."""


class PoolContendedError(Exception):
    """Others hold the rows of all devices that look free: soon they are taken, or free again."""


class Stock:
    """The devices a transaction has locked, each given once.

    Args:
        cursor: of the transaction.
        strategy: which of the suitable devices come first.
        wishes: how many devices will be asked for by each wish at most: as many are locked at
            once, so that a batch of equal wishes costs one statement.
    """

    def __init__(self, cursor: Cursor, strategy: AllocationStrategy, wishes: Counter[Wish]) -> None:
        self._cursor = cursor
        self._strategy = strategy
        self._expected = wishes.copy()
        self._on_hand: dict[Wish, list[_Locked]] = {wish: [] for wish in wishes}
        self._locked: dict[str, _Locked] = {}
        self._refusals: dict[tuple[Wish, Room, datetime], RefusedError] = {}

    def take(self, wish: Wish, room: Room, until: datetime) -> Device:
        """Return a free, running device that meets the wish and fits into the room until a time.

        A device that another transaction holds is skipped, and that one may still roll back: so a
        refusal wants a plain read, which sees what is committed, to find nothing either.

        Raises:
            RefusedError: there is none.
            PoolContendedError: there may be one; end this transaction and try again a little later.
        """
        if refusal := self._refusals.get((wish, room, until)):
            raise refusal
        on_hand = self._on_hand[wish]
        locked = _first(on_hand, room, until)
        if locked is None:
            count = max(1, self._expected[wish] - len(on_hand))
            on_hand += self._lock(wish, room, until, count)
            locked = _first(on_hand, room, until)
        self._expected[wish] -= 1
        if locked is None:
            raise self._none(wish, room, until)
        on_hand.remove(locked)
        return locked.device

    def address(self, device_id: str) -> tuple[str | None, int | None]:
        """Return host and port of the adb of a device that was taken."""
        return self._locked[device_id].adb

    def _lock(self, wish: Wish, room: Room, until: datetime, count: int) -> list[_Locked]:
        found: list[_Locked] = []
        for statement, more in self._statements():
            parameters = (*self._bounds(wish, room, until), *more, count - len(found))
            self._cursor.execute(statement, parameters)
            found += [_locked(*row) for row in self._cursor.fetchall()]
            self._locked |= {one.device.id: one for one in found}
            if len(found) == count:
                break
        return found

    def _statements(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        match self._strategy:
            case AllocationStrategy.RESOURCE_BASED:
                yield _BEST_FIT, ()
            case AllocationStrategy.ROUND_ROBIN:
                yield _LONGEST_UNUSED, ()
            case AllocationStrategy.RANDOM:
                lot = random.randrange(_LOTS)  # noqa: S311 - a fair draw, no secret
                yield _LOT_FROM, (lot,)
                yield _LOT_BEFORE, (lot,)

    def _none(self, wish: Wish, room: Room, until: datetime) -> Exception:
        if self._is_free(wish, room, until):
            return PoolContendedError()
        refusal = RefusedError(*self._why_not(wish, room, until))
        self._refusals[wish, room, until] = refusal
        return refusal

    def _why_not(self, wish: Wish, room: Room, until: datetime) -> tuple[Refusal, dict[str, Any]]:
        on_hand = _first(self._on_hand[wish], ANY_ROOM, until)
        too_large = on_hand or self._is_free(wish, ANY_ROOM, until)
        if room == ANY_ROOM or not too_large:
            return Refusal.NO_DEVICE_AVAILABLE, {}
        left = {"cpuCores": room.cpu_cores, "memoryMB": room.memory_mb}
        limited = {name: value for name, value in left.items() if value != UNLIMITED}
        return Refusal.QUOTA_EXCEEDED, {"left": limited}

    def _is_free(self, wish: Wish, room: Room, until: datetime) -> bool:
        return bool(self._cursor.execute(_IS_FREE, self._bounds(wish, room, until)))

    def _bounds(self, wish: Wish, room: Room, until: datetime) -> tuple[object, ...]:
        sizes = (wish.cpu_cores, room.cpu_cores, wish.memory_mb, room.memory_mb)
        return (*sizes, tuple(self._locked) or _NO_IDS, until)


class _Locked(NamedTuple):
    device: Device
    adb: tuple[str | None, int | None]
    promised_from: datetime | None

    def fits(self, room: Room, until: datetime) -> bool:
        device = self.device
        return (
            device.cpu_cores <= room.cpu_cores
            and device.memory_mb <= room.memory_mb
            and (self.promised_from is None or self.promised_from >= until)
        )


def _first(devices: list[_Locked], room: Room, until: datetime) -> _Locked | None:
    return next((one for one in devices if one.fits(room, until)), None)


def _locked(  # noqa: PLR0913, PLR0917 - the columns of a row
    id_: str,
    name: str,
    status: str,
    health: str,
    cpu: int,
    memory: int,
    storage: int,
    adb_host: str | None,
    adb_port: int | None,
    promised_from: datetime | None,
) -> _Locked:
    device = Device(id_, name, DeviceStatus(status), Health(health), cpu, memory, storage)
    return _Locked(device, (adb_host, adb_port), promised_from)
