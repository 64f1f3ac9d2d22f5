"""The mass-failure brake in the database: read and written by consumers, decided by operators."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.brake import WINDOW, Brake, BrakeLimits, BrakeState

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.cursor import BulkCursor

_RUNNING: Final = """
    SELECT COUNT(*) FROM devices WHERE status IN ('available', 'allocated') AND health = 'running'
"""
# The devices are counted only where their number matters: ordinary failures never come so far.
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
# Only if nobody has decided otherwise meanwhile.
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
_LOOK: Final = f"""
    SELECT b.engaged_at, b.engaged_by, b.open_until, w.released, w.held, ({_RUNNING})
    FROM (SELECT COALESCE(SUM(released), 0) AS released, COALESCE(SUM(held), 0) AS held
          FROM mass_failure_seconds WHERE second > %s) w
    LEFT JOIN mass_failure_brake b ON b.id = 1
"""  # noqa: S608 - a constant


class BrakeStatus(NamedTuple):
    """What an operator wants to know; ``held`` messages come again once a minute."""

    state: BrakeState
    engaged_by: str | None
    held: int


def query(
    cursor: BulkCursor, limits: BrakeLimits, messages: int, now: datetime
) -> Callable[[], Brake]:
    """Ask for the brake for a batch of so many messages; what is returned waits for the answer.

    Nothing is locked, so that queues do not wait for each other: what another one is just
    committing – one batch – is not counted yet.
    """
    answer = cursor.send_query(_LOAD, (messages, limits.devices, _since(now)))

    def brake() -> Brake:
        ((engaged, open_until, lately, running),) = answer.rows()
        state = BrakeState(engaged, open_until, int(lately), running)
        return Brake(limits, state, now)

    return brake


def store(cursor: Cursor, queue: str, brake: Brake, now: datetime) -> None:
    """Write down what a batch of a queue released and held, and whether it was one too many."""
    if brake.released or brake.held:
        counts = (brake.released, brake.held)
        cursor.execute(_COUNT, (queue, now.second, _second(now), *counts))
    if brake.tripped:
        cursor.execute(_TRIP, (now,))


def engage(cursor: Cursor, now: datetime) -> None:
    """Hold every release from now on, until somebody decides otherwise."""
    cursor.execute(_DECIDE, (now, "operator", None))


def release(cursor: Cursor, until: datetime) -> None:
    """Let everything through until then; afterwards the limit holds again."""
    cursor.execute(_DECIDE, (None, None, until))


def arm(cursor: Cursor) -> None:
    """Let the limit decide again."""
    cursor.execute(_DECIDE, (None, None, None))


def read_status(cursor: Cursor, now: datetime) -> BrakeStatus:
    """Return how the brake stands."""
    cursor.execute(_LOOK, (_since(now),))
    engaged, by, open_until, lately, held, running = _only_row(cursor)
    state = BrakeState(engaged, open_until, int(lately), running)
    return BrakeStatus(state, by, int(held))


def _only_row(cursor: Cursor) -> tuple[Any, ...]:
    (row,) = cursor.fetchall()
    return row


def _since(now: datetime) -> datetime:
    return _second(now) - WINDOW


def _second(now: datetime) -> datetime:
    return now.replace(microsecond=0)
