"""What operators did to each dead letter, for the timeline of its user or device."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database.times import to_sql

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.domain.guard import Aggregate

# Deleted users are left out, because notes on them would never be erased.
_NOTE: Final = """
    INSERT INTO letter_actions (queue, message_id, action, new_id, acted_at, aggregate, subject_id,
        caller)
    SELECT a.*, %s
    FROM JSON_TABLE(%s, '$[*]' COLUMNS (
        queue      VARCHAR(64)  PATH '$[0]',
        message_id VARCHAR(128) PATH '$[1]',
        action     VARCHAR(16)  PATH '$[2]',
        new_id     VARCHAR(128) PATH '$[3]',
        acted_at   DATETIME(6)  PATH '$[4]',
        aggregate  VARCHAR(16)  PATH '$[5]',
        subject_id VARCHAR(64)  PATH '$[6]'
    )) a
    WHERE NOT (a.aggregate = 'user'
        AND EXISTS (SELECT 1 FROM erasures e
            WHERE e.user_id = a.subject_id COLLATE utf8mb4_nopad_bin))
"""
_MAX_CALLER: Final = 512
_PER_STATEMENT: Final = 1000


class OperatorAction(StrEnum):
    """What an operator did to a letter."""

    REPLAYED = "replayed"
    EDITED = "edited"
    """Its message was published with another body, under a new id."""
    DISCARDED = "discarded"


class LetterAction(NamedTuple):
    """What was done to a letter; ``acted_at`` is before any effect of it, in UTC."""

    queue: str
    message_id: str
    action: OperatorAction
    new_id: str | None
    acted_at: datetime
    aggregate: Aggregate
    subject_id: str | None


def note(cursor: Cursor, actions: Sequence[LetterAction], caller: str) -> None:
    """Note what a caller did; actions on letters about deleted users are not noted."""
    for start in range(0, len(actions), _PER_STATEMENT):
        part = actions[start : start + _PER_STATEMENT]
        rows = [(*one[:4], to_sql(one.acted_at), *one[5:]) for one in part]
        cursor.execute(_NOTE, (caller[:_MAX_CALLER], json.dumps(rows)))
