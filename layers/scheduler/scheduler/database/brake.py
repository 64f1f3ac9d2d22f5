"""The state of the mass-failure brake: loaded and stored by consumers, set by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.domain.brake import WINDOW, Brake, BrakeLimits, BrakeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.cursor import BulkCursor

_RUNNING: Final = """
    SELECT COUNT(*) FROM devices WHERE status IN ('available', 'allocated') AND health = 'running'
"""
# The running devices are counted only if more fail than the fixed minimum, which is rare.
_LOAD: Final = f"""
    SELECT b.engaged_at, b.open_until, w.released,
           IF(w.released + %s > %s, ({_RUNNING}), 0)
    FROM (SELECT COALESCE(SUM(released), 0) AS released
          FROM mass_failure_seconds WHERE second > %s) w
    LEFT JOIN mass_failure_brake b ON b.id = 1
"""  # noqa: S608 - a constant
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
    REPLACE INTO mass_failure_brake (id, engaged_at, engaged_by, open_until) VALUES (1, %s, %s, %s)
"""
_STATUS: Final = f"""
    SELECT b.engaged_at, b.engaged_by, b.open_until, w.released, w.held, ({_RUNNING})
    FROM (SELECT COALESCE(SUM(released), 0) AS released, COALESCE(SUM(held), 0) AS held
          FROM mass_failure_seconds WHERE second > %s) w
    LEFT JOIN mass_failure_brake b ON b.id = 1
"""  # noqa: S608 - a constant


class BrakeStatus(NamedTuple):
    """The state as operators see it; ``held`` counts messages, which are retried every minute."""

    state: BrakeState
    engaged_by: str | None
    held: int


def query(
    cursor: BulkCursor, limits: BrakeLimits, messages: int, now: datetime
) -> Callable[[], Brake]:
    """Query the state of the brake for a batch; calling the result waits for the answer.

    Nothing is locked, so that queues do not wait for each other. A batch that another queue is
    committing at this moment is therefore not counted.
    """
    result = cursor.send_query(_LOAD, (messages, limits.devices, _since(now)))

    def brake() -> Brake:
        ((engaged_at, open_until, released, running),) = result.rows()
        state = BrakeState(engaged_at, open_until, int(released), running)
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
    ((engaged_at, engaged_by, open_until, released, held, running),) = cursor.fetchall()
    state = BrakeState(engaged_at, open_until, int(released), running)
    return BrakeStatus(state, engaged_by, int(held))


def _since(now: datetime) -> datetime:
    return _second(now) - WINDOW


def _second(now: datetime) -> datetime:
    return now.replace(microsecond=0)
