"""The messages that had no effect: duplicates, retries, dead letters; a row per outcome of each.

They have no transaction to be stored in, so they are noted when they are settled.
"""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.guard import Aggregate

# Deleted users are left out, because notes on them would never be erased.
_NOTE: Final = """
    INSERT INTO unapplied_messages (queue, message_id, outcome, aggregate, subject_id,
        first_at, last_at, error, correlation_id, publisher)
    SELECT m.queue, m.message_id, m.outcome, m.aggregate, m.subject_id,
        %s, %s, m.error, m.correlation_id, m.publisher
    FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        queue          VARCHAR(64)  PATH '$[0]',
        message_id     VARCHAR(128) PATH '$[1]',
        outcome        VARCHAR(32)  PATH '$[2]',
        aggregate      VARCHAR(16)  PATH '$[3]',
        subject_id     VARCHAR(64)  PATH '$[4]',
        error          VARCHAR(500) PATH '$[5]',
        correlation_id VARCHAR(255) PATH '$[6]',
        publisher      VARCHAR(255) PATH '$[7]'
    )) m
    WHERE NOT (m.aggregate = 'user'
        AND EXISTS (SELECT 1 FROM erasures e
            WHERE e.user_id = m.subject_id COLLATE utf8mb4_nopad_bin))
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
    PARKED = "parked"
    """Its rows were locked, DynamoDB was unavailable, or no time was left; it is tried again."""


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
    """Note messages, in one statement; the same outcome of a message is counted.

    Messages about deleted users are not noted.
    """
    # In the order of the key, so that two batches never wait for each other.
    ordered = sorted(messages, key=lambda one: one[:3])
    rows = [(*one[:5], one.error[:_MAX_ERROR] or None, *one[6:]) for one in ordered]
    cursor.execute(_NOTE, (now, now, json.dumps(rows)))
