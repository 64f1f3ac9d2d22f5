"""The query for what was missed reads a user's own recent rows, however much has piled up."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

from realtime.inbox import missed
from scheduler.database.connection import connect
from scheduler.realtime.since import Since, first_id
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

NOW = datetime(2026, 1, 1, tzinfo=UTC)
PILE = """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT(%s, LPAD(seq, 12, '0')), CONCAT('u', seq %% 200), 'x', 'x', 'x', '{}', seq, %s
    FROM seq_1_to_20000;
"""
DELIVERIES = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    SELECT id, 'websocket', created_at FROM notifications
"""


class Explaining:
    """Explains a statement instead of executing it."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.plan: list[tuple[Any, ...]] = []

    def execute(self, statement: str, parameters: object) -> None:
        self._cursor.execute(f"EXPLAIN {statement}", parameters)
        self.plan = list(self._cursor.fetchall())

    def fetchall(self) -> list[tuple[Any, ...]]:
        return []


def test_it_reads_backwards_in_the_index_of_the_inbox(database_url: str) -> None:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    recent = first_id(NOW + timedelta(hours=1))[:-12]
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(PILE, (recent, NOW))
        cursor.execute(DELIVERIES)
        connection.commit()
        cursor.execute("ANALYZE TABLE notifications, notification_deliveries")
        explaining = Explaining(cursor)
        missed(cast("Cursor", explaining), "u1", Since.exactly(NOW))

    (_, _, inbox, how, _, index, *_, extra), delivery = explaining.plan
    assert (inbox, how, index) == ("n", "range", "inbox")
    assert "filesort" not in (extra or "")
    assert (delivery[2], delivery[5]) == ("d", "one_per_channel")
