"""Searches for what is stored about a user: in MariaDB, in DynamoDB and in dead letters.

A test compares the list with the schema, so that a new table cannot be forgotten.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operations.dead_letters.describe import describe
from scheduler.realtime.user_limit import limit_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from operations.dead_letters.letter import DeadLetter

# Where a condition is empty, every row of the user counts.
ERASED: Final[dict[str, str]] = {
    "users": "id = %(user)s AND (email IS NOT NULL OR phone IS NOT NULL OR time_zone IS NOT NULL)",
    "notifications": "user_id = %(user)s AND (title <> '' OR message <> '' OR data <> '{}')",
    "notification_deliveries": "notification_id IN (SELECT id FROM notifications WHERE"
    " user_id = %(user)s) AND (provider_message_id IS NOT NULL OR last_error <> 'user deleted')",
    "notification_preferences": "user_id = %(user)s",
    "idempotency_keys": "user_id = %(user)s",
    "processed_messages": "aggregate = 'user' AND subject_id = %(user)s",
    "unapplied_messages": "aggregate = 'user' AND subject_id = %(user)s",
    "letter_actions": "aggregate = 'user' AND subject_id = %(user)s",
    "allocations": "user_id = %(user)s AND (status = 'ALLOCATED'"
    " OR NOT release_code <=> 'user_deleted'"
    " AND (release_reason IS NOT NULL OR release_details IS NOT NULL))",
    "waiting": "user_id = %(user)s AND status = 'WAITING'",
    "reservations": "user_id = %(user)s AND status = 'RESERVED'",
}
"""By table, the rows that must be gone after an erasure, or have something that must be gone."""

KEPT: Final[dict[str, str]] = {
    "users": "id = %(user)s",
    "notifications": "user_id = %(user)s",
    "allocations": "user_id = %(user)s",
    "waiting": "user_id = %(user)s",
    "reservations": "user_id = %(user)s",
    "event_versions": "aggregate = 'user' AND id = %(user)s",
    "erasures": "user_id = %(user)s",
    "request_limits": "SUBSTRING_INDEX(bucket, '/', 1) = %(user)s",
    "operator_actions": "arguments REGEXP %(named)s OR result REGEXP %(named)s",
}
"""By table, the rows that are kept with ids and times only (docs/privacy.md)."""

NOT_SEARCHED: Final = frozenset(
    (
        *("allocations.allocated_by", "allocations.released_by"),
        *("allocation_extensions.extended_by", "notifications.caused_by"),
        *("outgoing_events.caused_by", "outgoing_events.body"),
        "housekeeping_walks.position",
    )
)
"""Columns that may hold a user's id, have no index, and hold nothing else about a user."""

_STATE: Final = """
    SELECT u.status, e.requested_at, e.finished_at
    FROM users u LEFT JOIN erasures e ON e.user_id = u.id WHERE u.id = %s
"""


@dataclass(frozen=True, slots=True)
class Trace:
    """How many rows, items or letters of a user a place holds, and whether they must be gone."""

    place: str
    count: int
    must_be_gone: bool


class ErasureState(NamedTuple):
    """The status of a user (``unknown`` without a row), and the times of their erasure."""

    status: str = "unknown"
    requested_at: datetime | None = None
    finished_at: datetime | None = None


def read_state(cursor: Cursor, user_id: str) -> ErasureState:
    """Return whether a user was deleted and erased."""
    cursor.execute(_STATE, (user_id,))
    row = cursor.fetchone()
    return ErasureState(*row) if row else ErasureState()


def in_database(cursor: Cursor, user_id: str) -> Iterator[Trace]:
    """Count the rows of a user in each table."""
    parameters = {"user": user_id, "named": _named(user_id)}
    for must_be_gone, conditions in ((True, ERASED), (False, KEPT)):
        for table, condition in conditions.items():
            cursor.execute(f"SELECT COUNT(*) FROM {table} WHERE {condition}", parameters)  # noqa: S608 - constants
            ((count,),) = cursor.fetchall()
            yield Trace(table, int(count), must_be_gone)


class Tables(NamedTuple):
    """The names of the tables in DynamoDB."""

    payments: str
    connections: str
    tickets: str


def in_dynamodb(dynamodb: Any, user_id: str, tables: Tables) -> Iterator[Trace]:  # noqa: ANN401 - boto3's client
    """Count the item of failed payments, the open connections and tickets of a user.

    Raises:
        botocore.exceptions.BotoCoreError, ClientError: DynamoDB is unavailable or denies access.
    """
    item = dynamodb.get_item(TableName=tables.payments, Key={"user_id": {"S": user_id}})
    yield Trace("failed payments (DynamoDB)", int("Item" in item), must_be_gone=True)
    found = dynamodb.query(
        TableName=tables.connections,
        IndexName="user_id",
        KeyConditionExpression="user_id = :user",
        ExpressionAttributeValues={":user": {"S": user_id}},
    )
    yield Trace("WebSocket connections (DynamoDB)", found["Count"], must_be_gone=True)
    for what, table, key in (
        ("connections", tables.connections, "connection_id"),
        ("tickets", tables.tickets, "ticket"),
    ):
        item = dynamodb.get_item(TableName=table, Key={key: {"S": limit_key(user_id)}})
        yield Trace(f"limit of WebSocket {what} (DynamoDB)", int("Item" in item), must_be_gone=True)


def letters_of(letters: Iterable[DeadLetter], user_id: str) -> list[str]:
    """Return the ids of the dead letters in which a user's id occurs anywhere."""
    named = re.compile(_named(user_id))
    return [one.id for one in letters if named.search(_text(one))]


def _named(id_: str) -> str:
    """Return an expression for an id that is not part of a longer one, such as u10 or team-u1.

    It may be escaped as in JSON, in ASCII or not.
    """
    escaped = (json.dumps(id_, ensure_ascii=in_ascii)[1:-1] for in_ascii in (True, False))
    any_of = "|".join(re.escape(one) for one in (id_, *escaped))
    return rf"(?<![\w.@-])(?:{any_of})(?![\w.@-])"


def _text(letter: DeadLetter) -> str:
    about = json.dumps(describe(letter), ensure_ascii=False)
    return about + letter.body.decode("utf-8", "replace")
