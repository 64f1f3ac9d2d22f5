"""Messages without an id, and the ids that they were given when they were first received."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import datetime

    from pymysql.cursors import Cursor

_STORE: Final = """
    INSERT INTO unidentified_messages (queue, message_id, content_sha256, received_at, batch_key)
    VALUES (%s, %s, %s, %s, %s)
    ON DUPLICATE KEY UPDATE batch_key = VALUES(batch_key)
"""
_SEEN: Final = """
    SELECT u.content_sha256, u.message_id, u.batch_key, p.processed_at
    FROM unidentified_messages u FORCE INDEX (content)
    LEFT JOIN processed_messages p ON p.queue = u.queue AND p.message_id = u.message_id
    WHERE u.queue = %s AND u.content_sha256 IN %s AND u.received_at >= %s
    ORDER BY u.received_at, u.message_id
"""


class SeenMessage(NamedTuple):
    """A message without an id that was received before; ``processed_at`` is None if not applied.

    ``batch_key`` is the delivery key of the first message of its batch.
    """

    content_sha256: bytes
    message_id: str
    batch_key: str
    processed_at: datetime | None


def store(
    cursor: Cursor, queue: str, ids: Iterable[tuple[str, bytes]], batch_key: str, now: datetime
) -> None:
    """Store given ids with the hashes of their contents, before the messages are applied.

    An id that is stored already moves to this batch, with which its message comes again.
    """
    cursor.executemany(_STORE, [(queue, id_, sha256, now, batch_key) for id_, sha256 in ids])


def seen(
    cursor: Cursor, queue: str, contents: Collection[bytes], since: datetime
) -> list[SeenMessage]:
    """Return the messages of a queue with one of these contents that came since a time."""
    cursor.execute(_SEEN, (queue, tuple(contents), since))
    return [SeenMessage(*row) for row in cursor.fetchall()]
