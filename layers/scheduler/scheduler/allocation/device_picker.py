"""Picks free devices from the pool; their rows stay locked until the transaction ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from scheduler.database.rows import DEVICE_COLUMNS, DEVICE_WIDTH, to_device
from scheduler.domain.quota import NO_LIMIT, UNLIMITED, Headroom, Requirements, fits, least
from scheduler.domain.refusal import Refusal, RefusedError
from scheduler.settings import AllocationStrategy

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device

_UNSIZED: Final = "AND (d.cpu_cores = 0 OR d.memory_mb = 0)"
# Devices that this transaction has picked look free to it until it writes. A reserved device is
# given only to allocations that end before the reserved slot.
_FREE: Final = """
    d.status = 'available' AND d.health = 'running'
    AND d.cpu_cores BETWEEN %s AND %s AND d.memory_mb BETWEEN %s AND %s AND d.id NOT IN %s
    AND NOT EXISTS (
        SELECT 1 FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = d.id AND r.status = 'RESERVED' AND r.starts_at < %s)
"""
# The index is forced because a small table tempts the optimizer to read, and thereby lock, all.
_SELECT: Final = f"""
    SELECT {DEVICE_COLUMNS}, d.adb_host, d.adb_port, (
        SELECT MIN(r.starts_at) FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = d.id AND r.status = 'RESERVED')
    FROM devices d FORCE INDEX ({{index}}) WHERE {{free}} {{more}} ORDER BY {{order}} LIMIT %s
    FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants


class _Statements(NamedTuple):
    """The same selection of devices of known size, and of those of unknown size."""

    sized: str
    unsized: str

    @classmethod
    def of(cls, index: str, order: str, more: str = "") -> Self:
        return cls(
            *(
                _SELECT.format(index=index, free=_FREE, more=f"{more} {sizes}", order=order)
                for sizes in ("", _UNSIZED)
            )
        )


_BEST_FIT: Final = _Statements.of("best_fit", "d.cpu_cores, d.memory_mb, d.id")
_LONGEST_UNUSED: Final = _Statements.of("longest_unused", "d.last_allocated_at, d.id")
_LOT_FROM: Final = _Statements.of("lottery", "d.lot, d.id", "AND d.lot >= %s")
_LOT_BEFORE: Final = _Statements.of("lottery", "d.lot, d.id", "AND d.lot < %s")
_IS_FREE: Final = f"""
    SELECT 1 FROM devices d FORCE INDEX (best_fit) WHERE {_FREE} LIMIT 1
"""  # noqa: S608 - both are constants

_LOTS: Final = 1 << 32
"""How many values the column ``lot`` can have."""
_NO_IDS: Final = ("",)
"""Stands for an empty IN list, which SQL does not allow."""


class PoolContendedError(Exception):
    """Other transactions hold the rows of all devices that look free; retry shortly."""


class DevicePicker:
    """Picks and locks devices for one transaction, each at most once.

    Args:
        cursor: of the transaction.
        strategy: which of the suitable devices come first.
        wanted: how many devices will be requested at most, by requirements; that many are locked
            at once, so that a batch of equal requests costs one statement.
    """

    def __init__(
        self, cursor: Cursor, strategy: AllocationStrategy, wanted: Counter[Requirements]
    ) -> None:
        self._cursor = cursor
        self._strategy = strategy
        self._expected = wanted.copy()
        self._on_hand: dict[Requirements, list[_Locked]] = {one: [] for one in wanted}
        self._locked: dict[str, _Locked] = {}
        self._refusals: dict[tuple[Requirements, Headroom, datetime], RefusedError] = {}

    def take(self, requirements: Requirements, limit: Headroom, until: datetime) -> Device:
        """Return a free, running device that meets the requirements until a time.

        Devices that another transaction holds are skipped, but that transaction may still roll
        back: before refusing, a plain read of what is committed must find no device either.

        Args:
            requirements: the least the device must have.
            limit: the most it may have.
            until: when the allocation will end.

        Raises:
            RefusedError: no such device is free.
            PoolContendedError: there may be one; end this transaction and try again shortly.
        """
        if refusal := self._refusals.get((requirements, limit, until)):
            raise refusal
        on_hand = self._on_hand[requirements]
        locked = _first(on_hand, limit, until)
        if locked is None:
            count = max(1, self._expected[requirements] - len(on_hand))
            on_hand += self._lock(requirements, limit, until, count)
            locked = _first(on_hand, limit, until)
        self._expected[requirements] -= 1
        if locked is None:
            raise self._none(requirements, limit, until)
        on_hand.remove(locked)
        return locked.device

    def adb_address(self, device_id: str) -> tuple[str | None, int | None]:
        """Return the adb host and port of a device that was picked."""
        return self._locked[device_id].adb

    def _lock(
        self, requirements: Requirements, limit: Headroom, until: datetime, count: int
    ) -> list[_Locked]:
        """Lock up to ``count`` devices; those of unknown size only if there are no others."""
        statements = list(self._statements())
        sized, unsized = _least_sizes(requirements, limit)
        steps = [(statement.sized, more, sized) for statement, more in statements]
        if unsized:
            steps += [(statement.unsized, more, unsized) for statement, more in statements]
        found: list[_Locked] = []
        for statement, more, least_sizes in steps:
            bounds = self._bounds(least_sizes, limit, until)
            self._cursor.execute(statement, (*bounds, *more, count - len(found)))
            found += [_to_locked(row) for row in self._cursor.fetchall()]
            self._locked |= {one.device.id: one for one in found}
            if len(found) == count:
                break
        return found

    def _statements(self) -> Iterator[tuple[_Statements, tuple[int, ...]]]:
        match self._strategy:
            case AllocationStrategy.RESOURCE_BASED:
                yield _BEST_FIT, ()
            case AllocationStrategy.ROUND_ROBIN:
                yield _LONGEST_UNUSED, ()
            case AllocationStrategy.RANDOM:
                lot = random.randrange(_LOTS)  # noqa: S311 - a fair draw, not a secret
                yield _LOT_FROM, (lot,)
                yield _LOT_BEFORE, (lot,)

    def _none(self, requirements: Requirements, limit: Headroom, until: datetime) -> Exception:
        if self._is_free(requirements, limit, until):
            return PoolContendedError()
        refusal = RefusedError(*self._why_not(requirements, limit, until))
        self._refusals[requirements, limit, until] = refusal
        return refusal

    def _why_not(
        self, requirements: Requirements, limit: Headroom, until: datetime
    ) -> tuple[Refusal, dict[str, Any]]:
        on_hand = _first(self._on_hand[requirements], NO_LIMIT, until)
        too_large = on_hand or self._is_free(requirements, NO_LIMIT, until)
        if limit == NO_LIMIT or not too_large:
            return Refusal.NO_DEVICE_AVAILABLE, {}
        left = {"cpuCores": limit.cpu_cores, "memoryMB": limit.memory_mb}
        limited = {name: value for name, value in left.items() if value != UNLIMITED}
        return Refusal.QUOTA_EXCEEDED, {"left": limited}

    def _is_free(self, requirements: Requirements, limit: Headroom, until: datetime) -> bool:
        sized, unsized = _least_sizes(requirements, limit)
        bounds = self._bounds(unsized or sized, limit, until)
        return bool(self._cursor.execute(_IS_FREE, bounds))

    def _bounds(
        self, least_sizes: Requirements, limit: Headroom, until: datetime
    ) -> tuple[object, ...]:
        sizes = (least_sizes.cpu_cores, limit.cpu_cores, least_sizes.memory_mb, limit.memory_mb)
        return (*sizes, tuple(self._locked) or _NO_IDS, until)


class _Locked(NamedTuple):
    device: Device
    adb: tuple[str | None, int | None]
    reserved_from: datetime | None

    def suits(self, limit: Headroom, until: datetime) -> bool:
        free = self.reserved_from is None or self.reserved_from >= until
        return free and fits(self.device, Requirements(), limit)


def _least_sizes(
    requirements: Requirements, limit: Headroom
) -> tuple[Requirements, Requirements | None]:
    """Return the least sizes of devices whose size is known, and of others if these will do."""
    cpu = least(requirements.cpu_cores, limit.cpu_cores)
    memory = least(requirements.memory_mb, limit.memory_mb)
    unsized = None if cpu and memory else Requirements(cpu, memory)
    return Requirements(max(1, cpu), max(1, memory)), unsized


def _first(devices: list[_Locked], limit: Headroom, until: datetime) -> _Locked | None:
    return next((one for one in devices if one.suits(limit, until)), None)


def _to_locked(row: tuple[Any, ...]) -> _Locked:
    adb_host, adb_port, reserved_from = row[DEVICE_WIDTH:]
    return _Locked(to_device(row[:DEVICE_WIDTH]), (adb_host, adb_port), reserved_from)
