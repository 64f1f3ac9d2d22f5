"""Erases what is stored about deleted users, except ids and times.

The transaction of ``user.deleted`` erases what could still be sent and requests the rest.
Housekeeping does that in chunks, because a user may have any number of rows. Contact data is
removed with the status, in `scheduler.database.commit`. What remains, and for how long, is in
docs/privacy.md.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scheduler.database.walks import Walk
from scheduler.domain.notices import Channel

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.database.walks import Part
    from scheduler.domain.model import User

ROWS_PER_TRANSACTION: Final = 1000
MAX_FINISHED: Final = 1000
"""How many skipped and how many failed deliveries the transaction of a batch erases."""
USERS: Final = Walk("deleted-users", "users", "id", "PRIMARY")

# Read without locks, and updated by key: an UPDATE locks every row that it reads, which would block
# the dispatcher. Deliveries of the release that did not store their user have ''. Skipped and
# failed ones were not sent either; a user who is never connected may have hundreds of thousands.
_UNSENT: Final = """
    SELECT d.id FROM notification_deliveries d FORCE INDEX (by_user)
    STRAIGHT_JOIN notifications n ON n.id = d.notification_id
    WHERE d.status = 'pending' AND d.channel IN %s AND d.user_id IN %s AND n.user_id IN %s
    UNION ALL
    (SELECT d.id FROM notification_deliveries d FORCE INDEX (by_user)
     WHERE d.status = 'skipped' AND d.channel IN %s AND d.user_id IN %s LIMIT %s)
    UNION ALL
    (SELECT d.id FROM notification_deliveries d FORCE INDEX (by_user)
     WHERE d.status = 'failed' AND d.channel IN %s AND d.user_id IN %s LIMIT %s)
"""
# A dispatcher that is sending one of these records its result only while the row is pending, so it
# cannot undo this.
_ERASE_UNSENT: Final = """
    UPDATE notification_deliveries d FORCE INDEX (PRIMARY)
    STRAIGHT_JOIN notifications n ON n.id = d.notification_id
    SET d.status = IF(d.status = 'failed', 'failed', 'skipped'), d.last_error = 'user deleted',
        n.title = '', n.message = '', n.data = '{}'
    WHERE d.id IN %s AND d.status <> 'sent'
"""
_ERASE_PREFERENCES: Final = "DELETE FROM notification_preferences WHERE user_id IN %s"
_REQUEST: Final = """
    INSERT INTO erasures (user_id, requested_at) VALUES (%s, %s)
    ON DUPLICATE KEY UPDATE requested_at = VALUES(requested_at), finished_at = NULL
"""
_NEVER_REQUESTED: Final = """
    SELECT u.id FROM users u FORCE INDEX (PRIMARY) LEFT JOIN erasures e ON e.user_id = u.id
    WHERE u.id > %s AND u.id <= %s AND u.status = 'deleted' AND e.user_id IS NULL
"""
_UNFINISHED: Final = """
    SELECT user_id, requested_at FROM erasures FORCE INDEX (unfinished)
    WHERE finished_at IS NULL ORDER BY requested_at, user_id LIMIT %s
"""
_FINISH: Final = """
    UPDATE erasures SET finished_at = %s WHERE user_id = %s AND requested_at = %s
"""
# Only those with something left to erase: an erasure that is stopped continues, so that a user with
# very many notifications does not keep the users after them waiting.
_NOTIFICATIONS: Final = """
    SELECT n.id FROM notifications n FORCE INDEX (inbox)
    LEFT JOIN notification_deliveries d FORCE INDEX (one_per_channel)
        ON d.notification_id = n.id
    WHERE n.user_id = %s AND n.id > %s AND (
        n.title <> '' OR n.message <> '' OR n.data <> '{}'
        OR n.correlation_id IS NOT NULL OR n.traceparent IS NOT NULL
        OR d.provider_message_id IS NOT NULL
        OR d.status = 'sent' AND d.last_error IS NOT NULL
        OR d.status <> 'sent' AND NOT d.last_error <=> 'user deleted'
    ) ORDER BY n.id LIMIT %s
"""
_ERASE_TEXTS: Final = """
    UPDATE notifications
    SET title = '', message = '', data = '{}', correlation_id = NULL, traceparent = NULL
    WHERE id IN %s
"""
# The provider's id would find the message at the provider, and its errors may quote the address.
_ERASE_DELIVERIES: Final = """
    UPDATE notification_deliveries SET provider_message_id = NULL,
        last_error = IF(status = 'sent', NULL, 'user deleted')
    WHERE notification_id IN %s
"""
# The code of the reason stays. The text of a deletion is always the same.
_ERASE_REASONS: Final = """
    UPDATE allocations FORCE INDEX (by_user) SET release_reason = NULL, release_details = NULL
    WHERE user_id = %s AND NOT release_code <=> 'user_deleted'
        AND (release_reason IS NOT NULL OR release_details IS NOT NULL) LIMIT %s
"""
# The ids of messages stay, so that a later copy is recognised; the users that they were about are
# erased.
_ERASE_MESSAGES: Final = """
    UPDATE processed_messages FORCE INDEX (by_subject)
    SET aggregate = NULL, subject_id = NULL, correlation_id = NULL, publisher = NULL,
        detail = NULL
    WHERE aggregate = 'user' AND subject_id = %s LIMIT %s
"""
_ERASE_UNAPPLIED: Final = """
    DELETE FROM unapplied_messages WHERE aggregate = 'user' AND subject_id = %s LIMIT %s
"""
_ERASE_LETTER_ACTIONS: Final = """
    DELETE FROM letter_actions WHERE aggregate = 'user' AND subject_id = %s LIMIT %s
"""
_ERASE_KEYS: Final = "DELETE FROM idempotency_keys WHERE user_id = %s LIMIT %s"


def begin(cursor: Cursor, users: Collection[User], now: datetime) -> None:
    """Erase unsent notifications and preferences of deleted users, and request the rest."""
    ids = tuple(user.id for user in users)
    unsent, finished = (tuple(Channel), ("", *ids), ids), (tuple(Channel), ids, MAX_FINISHED)
    cursor.execute(_UNSENT, (*unsent, *finished, *finished))
    if found := tuple(id_ for (id_,) in cursor.fetchall()):
        cursor.execute(_ERASE_UNSENT, (found,))
    if with_preferences := tuple(user.id for user in users if user.has_preferences):
        cursor.execute(_ERASE_PREFERENCES, (with_preferences,))
    cursor.executemany(_REQUEST, [(id_, now) for id_ in ids])


def request_missing(cursor: Cursor, part: Part, now: datetime) -> None:
    """Request the erasure of deleted users in a part of `USERS` for whom it was not requested.

    The release that had no erasures does not request them; during an upgrade, its code may still
    delete users.
    """
    cursor.execute(_NEVER_REQUESTED, (part.after, part.until))
    cursor.executemany(_REQUEST, [(id_, now) for (id_,) in cursor.fetchall()])


def unfinished(cursor: Cursor, limit: int) -> list[tuple[str, datetime]]:
    """Return deleted users whose erasure is not finished, and when it was requested."""
    cursor.execute(_UNFINISHED, (limit,))
    return list(cursor.fetchall())


def erase(database: Database, user_id: str) -> Iterator[int]:
    """Erase everything of a deleted user in the database; yield the rows after each transaction.

    The caller may stop after any transaction and begin again.

    Raises:
        DatabaseUnavailableError: the database is unavailable; what was erased stays erased.
    """
    last = ""
    while ids := database.run(partial(_erase_notifications, user_id=user_id, after=last)):
        last = ids[-1]
        yield len(ids)
    yield from _in_chunks(database, _ERASE_REASONS, user_id)
    yield from _in_chunks(database, _ERASE_KEYS, user_id)
    yield from _in_chunks(database, _ERASE_MESSAGES, user_id)
    yield from _in_chunks(database, _ERASE_UNAPPLIED, user_id)
    yield from _in_chunks(database, _ERASE_LETTER_ACTIONS, user_id)
    database.run(lambda cursor: cursor.execute(_ERASE_PREFERENCES, ((user_id,),)))


def finish(cursor: Cursor, user_id: str, requested_at: datetime, now: datetime) -> None:
    """Record that nothing but ids is left; has no effect if the user was deleted again since."""
    cursor.execute(_FINISH, (now, user_id, requested_at))


def _in_chunks(database: Database, statement: str, user_id: str) -> Iterator[int]:
    rows, parameters = ROWS_PER_TRANSACTION, (user_id, ROWS_PER_TRANSACTION)
    while rows == ROWS_PER_TRANSACTION:
        rows = database.run(lambda cursor: cursor.execute(statement, parameters))
        yield rows


def _erase_notifications(cursor: Cursor, user_id: str, after: str) -> list[str]:
    cursor.execute(_NOTIFICATIONS, (user_id, after, ROWS_PER_TRANSACTION))
    ids = list(dict.fromkeys(id_ for (id_,) in cursor.fetchall()))
    if ids:
        cursor.execute(_ERASE_TEXTS, (tuple(ids),))
        cursor.execute(_ERASE_DELIVERIES, (tuple(ids),))
    return ids
