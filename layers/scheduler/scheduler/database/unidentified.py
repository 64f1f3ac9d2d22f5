"""Messages without an id: the ids that they were given, and the runs that received them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor

_CLAIM: Final = """
    INSERT INTO unidentified_messages
        (queue, message_id, content_sha256, received_at, seen_late, claimed_at, batch_key,
        parked_batch, key_before, key_after, run_ended)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, 0)
    ON DUPLICATE KEY UPDATE
        claimed_at = VALUES(claimed_at), batch_key = VALUES(batch_key),
        parked_batch = VALUES(parked_batch), key_before = VALUES(key_before),
        key_after = VALUES(key_after), run_ended = 0
"""
_END: Final = """
    UPDATE unidentified_messages SET run_ended = 1 WHERE queue = %s AND message_id IN %s
"""
_SEEN: Final = """
    SELECT message_id, content_sha256, received_at, seen_late, claimed_at, batch_key,
        parked_batch, key_before, key_after, run_ended
    FROM unidentified_messages FORCE INDEX (content)
    WHERE queue = %s AND content_sha256 IN %s AND received_at >= %s
        AND (run_ended = 0 OR claimed_at >= %s)
    ORDER BY run_ended, claimed_at DESC, message_id
    LIMIT 20000
"""


class GivenId(NamedTuple):
    """An id that stands for one message, and the last run that received the message."""

    message_id: str
    content_sha256: bytes
    received_at: datetime
    seen_late: bool
    """Whether no run had seen the message before it was redelivered."""
    claimed_at: datetime
    batch_key: str
    """The delivery key of the first message of the run's batch."""
    parked_batch: str
    """Likewise, of the batch in which the message was parked without an id; empty if it was not."""
    key_before: str
    """Likewise, of the message before it in the run's batch; empty if there is none."""
    key_after: str
    run_ended: bool
    """Whether the run returned; otherwise the broker delivers the message again."""


def claim(cursor: Cursor, queue: str, ids: Iterable[GivenId]) -> None:
    """Store ids before their messages are applied; one that is stored already has a new run."""
    cursor.executemany(_CLAIM, [(queue, *one[:-1]) for one in ids])


def end(cursor: Cursor, queue: str, ids: Collection[str]) -> None:
    """Note that the run that has claimed these ids ends."""
    cursor.execute(_END, (queue, tuple(ids)))


def seen(
    cursor: Cursor, queue: str, contents: Collection[bytes], since: datetime, ended_since: datetime
) -> list[GivenId]:
    """Return the ids that messages of a queue with one of these contents got since a time.

    Ids of runs that ended are returned only if the run began since ``ended_since``. At most the
    newest 20,000 ids are returned.
    """
    cursor.execute(_SEEN, (queue, tuple(contents), since, ended_since))
    rows = map(GivenId._make, cursor.fetchall())
    return [
        one._replace(seen_late=bool(one.seen_late), run_ended=bool(one.run_ended)) for one in rows
    ]
