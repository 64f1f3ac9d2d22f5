"""The messages that had no effect: duplicates, retries, dead letters; a row per outcome of each.

They have no transaction to be stored in, so they are noted when they are settled.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.guard import Aggregate

_NOTE: Final = """
    INSERT INTO unapplied_messages (queue, message_id, outcome, aggregate, subject_id,
        first_at, last_at, error, correlation_id, publisher)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE times = times + 1, last_at = VALUES(last_at), error = VALUES(error)
"""
_MAX_ERROR: Final = 500


class UnappliedOutcome(StrEnum):
    """What became of a message that was not applied."""

    DUPLICATE = "duplicate"
    RETRIED = "retried"
    HELD = "held"
    """Held by the mass-failure brake; it is tried again every minute."""
    DEAD_LETTERED = "dead_lettered"
    GIVEN_UP = "given_up"
    """An informational message whose last retry failed."""


class UnappliedMessage(NamedTuple):
    """A message that was not applied; ``subject_id`` is None if its body names none."""

    queue: str
    message_id: str
    outcome: UnappliedOutcome
    aggregate: Aggregate
    subject_id: str | None
    error: str = ""
    correlation_id: str | None = None
    publisher: str | None = None


def note(cursor: Cursor, messages: Iterable[UnappliedMessage], now: datetime) -> None:
    """Note messages, in one statement; the same outcome of a message is counted."""
    # In the order of the key, so that two batches never wait for each other.
    ordered = sorted(messages, key=lambda one: one[:3])
    cursor.executemany(_NOTE, [_row(one, now) for one in ordered])


def _row(one: UnappliedMessage, now: datetime) -> tuple[object, ...]:
    key = (one.queue, one.message_id, one.outcome, one.aggregate, one.subject_id)
    error = one.error[:_MAX_ERROR] or None
    return (*key, now, now, error, one.correlation_id, one.publisher)
