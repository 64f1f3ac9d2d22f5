"""Picks free devices from the pool and locks their rows until the transaction ends."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Self

from scheduler.database.rows import DEVICE_COLUMNS, DEVICE_WIDTH, to_device
from scheduler.domain.quota import NO_LIMIT, UNLIMITED, Headroom, Requirements, fits, min_size
from scheduler.domain.refusal import Refusal, RefusedError
from scheduler.settings import AllocationStrategy

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.model import Device

_UNSIZED: Final = "AND (d.cpu_cores = 0 OR d.memory_mb = 0)"
# Devices picked by this transaction are excluded by id, because their rows are written later. A
# reserved device is allocated only until the reserved slot starts.
_FREE: Final = """
    d.free = 1
    AND d.cpu_cores BETWEEN %s AND %s AND d.memory_mb BETWEEN %s AND %s AND d.id NOT IN %s
    AND NOT EXISTS (
        SELECT 1 FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = d.id AND r.status = 'RESERVED' AND r.starts_at < %s)
"""
# The index is forced because the optimizer scans small tables, which would lock all their rows.
_SELECT: Final = f"""
    SELECT {DEVICE_COLUMNS}, d.adb_host, d.adb_port, (
        SELECT MIN(r.starts_at) FROM reservations r FORCE INDEX (calendar)
        WHERE r.device_id = d.id AND r.status = 'RESERVED')
    FROM devices d FORCE INDEX ({{index}}) WHERE {{free}} {{more}} ORDER BY {{order}} LIMIT %s
    FOR UPDATE SKIP LOCKED
"""  # noqa: S608 - constants


class _Statements(NamedTuple):
    """One selection, for devices of known size and for devices of unknown size."""

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
"""Number of values of the column ``lot``, a hash that gives devices a random order."""
_NO_IDS: Final = ("",)
"""An IN list cannot be empty, and no device has an empty id."""


class PoolContendedError(Exception):
    """Other transactions have locked all devices that look free; retry shortly."""


class DevicePicker:
    """Picks and locks devices for one transaction, each at most once.

    Args:
        cursor: of the transaction.
        strategy: the order in which suitable devices are picked.
        wanted: the maximum number of requests by requirements. This many devices are locked at
            once, so that a batch of equal requests costs one statement.
    """

    def __init__(
        self, cursor: Cursor, strategy: AllocationStrategy, wanted: Counter[Requirements]
    ) -> None:
        self._cursor = cursor
        self._strategy = strategy
        self._expected = wanted.copy()
        self._unused: dict[Requirements, list[_LockedDevice]] = {one: [] for one in wanted}
        self._locked: dict[str, _LockedDevice] = {}
        self._refusals: dict[tuple[Requirements, Headroom, datetime], RefusedError] = {}

    def pick(self, requirements: Requirements, limit: Headroom, until: datetime) -> Device:
        """Return a free, running device that meets the requirements and is unreserved until a time.

        Devices locked by another transaction are skipped. Since that transaction may roll back, a
        request is refused only if a read without locks finds no device either.

        Args:
            requirements: the minimum size of the device.
            limit: the maximum size of the device.
            until: when the allocation will end.

        Raises:
            RefusedError: no such device is free.
            PoolContendedError: one may become free; roll back, and retry shortly.
        """
        if refusal := self._refusals.get((requirements, limit, until)):
            raise refusal
        unused = self._unused[requirements]
        locked = _first(unused, limit, until)
        if locked is None:
            count = max(1, self._expected[requirements] - len(unused))
            unused += self._lock(requirements, limit, until, count)
            locked = _first(unused, limit, until)
        self._expected[requirements] -= 1
        if locked is None:
            raise self._error(requirements, limit, until)
        unused.remove(locked)
        return locked.device

    def adb_address(self, device_id: str) -> tuple[str | None, int | None]:
        """Return the adb host and port of a picked device."""
        return self._locked[device_id].adb

    def _lock(
        self, requirements: Requirements, limit: Headroom, until: datetime, count: int
    ) -> list[_LockedDevice]:
        """Lock up to ``count`` devices; devices of unknown size only if there are no others."""
        statements = list(self._statements())
        sized, unsized = _min_sizes(requirements, limit)
        steps = [(statement.sized, more, sized) for statement, more in statements]
        if unsized:
            steps += [(statement.unsized, more, unsized) for statement, more in statements]
        found: list[_LockedDevice] = []
        for statement, more, min_sizes in steps:
            bounds = self._bounds(min_sizes, limit, until)
            self._cursor.execute(statement, (*bounds, *more, count - len(found)))
            found += [_to_locked_device(row) for row in self._cursor.fetchall()]
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
                lot = random.randrange(_LOTS)  # noqa: S311 - not a secret
                yield _LOT_FROM, (lot,)
                yield _LOT_BEFORE, (lot,)

    def _error(self, requirements: Requirements, limit: Headroom, until: datetime) -> Exception:
        if self._is_free(requirements, limit, until):
            return PoolContendedError()
        refusal = RefusedError(*self._explain(requirements, limit, until))
        self._refusals[requirements, limit, until] = refusal
        return refusal

    def _explain(
        self, requirements: Requirements, limit: Headroom, until: datetime
    ) -> tuple[Refusal, dict[str, Any]]:
        unused = _first(self._unused[requirements], NO_LIMIT, until)
        too_large = unused or self._is_free(requirements, NO_LIMIT, until)
        if limit == NO_LIMIT or not too_large:
            return Refusal.NO_DEVICE_AVAILABLE, {}
        left = {"cpuCores": limit.cpu_cores, "memoryMB": limit.memory_mb}
        limited = {name: value for name, value in left.items() if value != UNLIMITED}
        return Refusal.QUOTA_EXCEEDED, {"left": limited}

    def _is_free(self, requirements: Requirements, limit: Headroom, until: datetime) -> bool:
        sized, unsized = _min_sizes(requirements, limit)
        bounds = self._bounds(unsized or sized, limit, until)
        return bool(self._cursor.execute(_IS_FREE, bounds))

    def _bounds(
        self, min_sizes: Requirements, limit: Headroom, until: datetime
    ) -> tuple[object, ...]:
        sizes = (min_sizes.cpu_cores, limit.cpu_cores, min_sizes.memory_mb, limit.memory_mb)
        return (*sizes, tuple(self._locked) or _NO_IDS, until)


class _LockedDevice(NamedTuple):
    device: Device
    adb: tuple[str | None, int | None]
    reserved_from: datetime | None

    def suits(self, limit: Headroom, until: datetime) -> bool:
        free = self.reserved_from is None or self.reserved_from >= until
        return free and fits(self.device, Requirements(), limit)


def _min_sizes(
    requirements: Requirements, limit: Headroom
) -> tuple[Requirements, Requirements | None]:
    """Return the minimum sizes of devices of known size, and of others if they are suitable."""
    cpu = min_size(requirements.cpu_cores, limit.cpu_cores)
    memory = min_size(requirements.memory_mb, limit.memory_mb)
    unsized = None if cpu and memory else Requirements(cpu, memory)
    return Requirements(max(1, cpu), max(1, memory)), unsized


def _first(devices: list[_LockedDevice], limit: Headroom, until: datetime) -> _LockedDevice | None:
    return next((one for one in devices if one.suits(limit, until)), None)


def _to_locked_device(row: tuple[Any, ...]) -> _LockedDevice:
    adb_host, adb_port, reserved_from = row[DEVICE_WIDTH:]
    return _LockedDevice(to_device(row[:DEVICE_WIDTH]), (adb_host, adb_port), reserved_from)
