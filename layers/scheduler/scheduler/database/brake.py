"""The state of the mass-failure brake: loaded and stored by consumers, set by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.brake import WINDOW, Brake, BrakeLimits, BrakeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.cursor import BulkCursor

# A device that was released before the last count was running before.
_LOAD: Final = """
    SELECT MAX(b.engaged_at), MAX(b.open_until), COALESCE(SUM(s.released), 0),
           COALESCE(MAX(b.running), 0)
           + COALESCE(SUM(IF(s.second < b.counted_at, s.released, 0)), 0)
    FROM (SELECT 1) one
    LEFT JOIN mass_failure_brake b ON b.id = 1
    LEFT JOIN mass_failure_seconds s ON s.second > %s
"""
_COUNT: Final = """
    INSERT INTO mass_failure_seconds (queue, slot, second, released, held)
    VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE
        released = IF(second = VALUES(second), released, 0) + VALUES(released),
        held = IF(second = VALUES(second), held, 0) + VALUES(held),
        second = VALUES(second)
"""
# Unless the brake was engaged or opened in the meantime.
_TRIP: Final = """
    INSERT INTO mass_failure_brake (id, engaged_at, engaged_by) VALUES (1, %s, 'limit')
    ON DUPLICATE KEY UPDATE
        engaged_by = IF(engaged_at IS NULL AND COALESCE(open_until <= VALUES(engaged_at), TRUE),
                        'limit', engaged_by),
        engaged_at = IF(engaged_at IS NULL AND COALESCE(open_until <= VALUES(engaged_at), TRUE),
                        VALUES(engaged_at), engaged_at)
"""
_DECIDE: Final = """
    INSERT INTO mass_failure_brake (id, engaged_at, engaged_by, open_until) VALUES (1, %s, %s, %s)
    ON DUPLICATE KEY UPDATE engaged_at = VALUES(engaged_at), engaged_by = VALUES(engaged_by),
        open_until = VALUES(open_until)
"""
_STATUS: Final = """
    SELECT b.engaged_at, b.engaged_by, b.open_until, w.released, w.held, COALESCE(b.running, 0),
           b.counted_at
    FROM (SELECT COALESCE(SUM(released), 0) AS released, COALESCE(SUM(held), 0) AS held
          FROM mass_failure_seconds WHERE second > %s) w
    LEFT JOIN mass_failure_brake b ON b.id = 1
"""


class BrakeStatus(NamedTuple):
    """The state as operators see it; ``held`` counts messages, which are retried every minute.

    The running devices were counted at ``counted_at``; None if they were not counted yet.
    """

    state: BrakeState
    engaged_by: str | None
    held: int
    counted_at: datetime | None


def query(cursor: BulkCursor, limits: BrakeLimits, now: datetime) -> Callable[[], Brake]:
    """Query the state of the brake for a batch; calling the result waits for the answer.

    No device is counted here: housekeeping does so (`running_devices`). Nothing is locked, so that
    queues do not wait for each other. A batch that another queue is committing at this moment is
    therefore not counted.
    """
    result = cursor.send_query(_LOAD, (_since(now),))

    def brake() -> Brake:
        ((engaged_at, open_until, released, running),) = result.rows()
        state = BrakeState(engaged_at, open_until, int(released), int(running))
        return Brake(limits, state, now)

    return brake


def store(cursor: Cursor, queue: str, brake: Brake, now: datetime) -> None:
    """Store what a batch of a queue released and held, and whether it engaged the brake."""
    if brake.released or brake.held:
        counts = (brake.released, brake.held)
        cursor.execute(_COUNT, (queue, now.second, _second(now), *counts))
    if brake.tripped:
        cursor.execute(_TRIP, (now,))


def engage(cursor: Cursor, now: datetime) -> None:
    """Engage the brake: releases are held until an operator decides otherwise."""
    cursor.execute(_DECIDE, (now, "operator", None))


def release(cursor: Cursor, until: datetime) -> None:
    """Suspend the limit until a time: all releases are allowed."""
    cursor.execute(_DECIDE, (None, None, until))


def arm(cursor: Cursor) -> None:
    """Apply the limit again."""
    cursor.execute(_DECIDE, (None, None, None))


def read_status(cursor: Cursor, now: datetime) -> BrakeStatus:
    """Return the state of the brake."""
    cursor.execute(_STATUS, (_since(now),))
    ((engaged_at, engaged_by, open_until, released, held, *counted),) = cursor.fetchall()
    running, counted_at = counted
    state = BrakeState(engaged_at, open_until, int(released), int(running))
    return BrakeStatus(state, engaged_by, int(held), counted_at)


def _since(now: datetime) -> datetime:
    return _second(now) - WINDOW


def _second(now: datetime) -> datetime:
    return now.replace(microsecond=0)
