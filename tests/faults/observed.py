"""Reads the facts of `tests.faults.model` from MariaDB and DynamoDB.

Besides the facts, there are rules that hold for all rows: no data of a deleted user is left except
where docs/privacy.md says so, and nothing was released while the brake held it.
"""

from __future__ import annotations

import re
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.database.connection import connect
from tests.faults.marks import Mark
from tests.faults.workload import HAPPENED, RECEIPT, SPREAD

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.settings import DatabaseSettings
    from tests.faults.model import Facts

_COUNTED: Final = (
    """
    SELECT 'released', id, user_id, device_id, IF(status = 'RELEASED', release_code, status),
           released_by
    FROM allocations WHERE status <> 'ALLOCATED'
    """,
    """
    SELECT 'published', JSON_VALUE(body, '$.allocationId'), routing_key,
           JSON_VALUE(body, '$.userId'), JSON_VALUE(body, '$.deviceId'),
           JSON_VALUE(body, '$.reason'), JSON_VALUE(body, '$.causedBy')
    FROM outgoing_events
    """,
    "SELECT 'notified', user_id, dedupe_key FROM notifications",
    """
    SELECT 'delivery', n.user_id, n.dedupe_key, d.channel, d.status
    FROM notification_deliveries d LEFT JOIN notifications n ON n.id = d.notification_id
    """,
    "SELECT 'processed', message_id, queue, outcome FROM processed_messages",
)
"""Statements that find each effect as often as it occurred."""
_VALUES: Final = (
    "SELECT 'user', id, status, billing_hold, max_devices FROM users",
    "SELECT 'hold', id, IF(hold_in_debt, 'debt', 'failures') FROM users WHERE billing_hold",
    "SELECT 'device', id, status, health, cpu_cores FROM devices",
    "SELECT 'holds', id, user_id, device_id FROM allocations WHERE status = 'ALLOCATED'",
    "SELECT 'waiting', id, status FROM waiting",
    "SELECT 'erased', user_id, finished_at IS NOT NULL FROM erasures",
)
"""Statements that find a kind, an id and the value."""
_MARKS: Final = "SELECT id, concern, occurred_at, version, unversioned_at FROM event_versions"
_TEXTS: Final = """
    SELECT table_name, column_name FROM information_schema.columns
    WHERE table_schema = DATABASE() AND data_type IN ('varchar', 'char', 'text', 'longtext', 'json')
        AND table_name NOT LIKE '%yoyo%'
"""
_USER: Final = re.compile(r"\bu\d+(?:w\d+)?\b")
_KEPT_OF_DELETED: Final = frozenset(
    {
        *(("users", "id"), ("event_versions", "id"), ("erasures", "user_id")),
        *(("allocations", "user_id"), ("waiting", "user_id"), ("notifications", "user_id")),
        *(("outgoing_events", "body"), ("outgoing_events", "correlation_id")),
        ("notification_deliveries", "user_id"),
    }
)
"""The columns in which the id of a deleted user may stay (docs/privacy.md: What remains)."""
_RELEASED_WHILE_HELD: Final = """
    SELECT id FROM allocations
    WHERE release_code IN ('device_failed', 'device_status_changed')
        AND released_at BETWEEN %s AND %s
"""
_GIVEN: Final = re.compile(r"(content:[0-9a-f]{64}):[0-9a-f-]{36}")


def read_facts(settings: DatabaseSettings, failures: Iterable[tuple[str, int]]) -> Facts:
    """Return the facts in MariaDB, and the failed payments that DynamoDB has by user."""
    facts: Facts = {}
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        for statement in _COUNTED:
            for row in _rows(cursor, statement):
                fact = tuple(_GIVEN.sub(r"\1", "" if one is None else str(one)) for one in row)
                facts[fact] = facts.get(fact, 0) + 1
        for statement in _VALUES:
            for kind, id_, *value in _rows(cursor, statement):
                facts[kind, id_] = _value(kind, value)
        for id_, concern, at, version, without in _rows(cursor, _MARKS):
            other = _time(without) if without else None
            facts["mark", id_, concern] = Mark(_time(at), version, other)
    return facts | {("failures", user): count for user, count in failures if count}


def broken_rules(
    settings: DatabaseSettings, deleted: set[str], held: tuple[datetime, datetime] | None
) -> frozenset[str]:
    """Return what breaks a rule.

    Args:
        settings: of the database.
        deleted: the users of whom no data may be left.
        held: from when until when the brake certainly held releases.
    """
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        broken = {f"left of a deleted user: {one}" for one in _left_of(cursor, deleted)}
        if held:
            cursor.execute(_RELEASED_WHILE_HELD, held)
            broken |= {f"released while the brake held: {id_}" for (id_,) in cursor.fetchall()}
    return frozenset(broken)


def _left_of(cursor: Cursor, deleted: set[str]) -> Iterator[str]:
    for table, column in list(_rows(cursor, _TEXTS)):
        if (table, column) in _KEPT_OF_DELETED:
            continue
        for (text,) in _rows(cursor, f"SELECT {column} FROM {table}"):  # noqa: S608 - of the schema
            for user in deleted.intersection(_USER.findall(text or "")):
                yield f"{user} in {table}.{column}"


def _value(kind: str, value: list[Any]) -> Any:  # noqa: ANN401 - of any type
    match kind:
        case "user":
            return (value[0], bool(value[1]), value[2])
        case "erased":
            return bool(value[0])
        case "waiting" | "hold":
            return value[0]
    return tuple(value)


def _time(at: datetime) -> int:
    after = at - HAPPENED
    return RECEIPT if after > SPREAD else after // timedelta(microseconds=1)


def _rows(cursor: Cursor, statement: str) -> Iterable[tuple[Any, ...]]:
    cursor.execute(statement)
    return cursor.fetchall()
