"""The query for what was missed reads a user's own recent rows, however much has piled up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from realtime.inbox import missed
from scheduler.realtime.protocol import Since, first_id
from tests.support.explaining import Explaining

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from tests.support.store import Store

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


def test_it_reads_backwards_in_the_index_of_the_inbox(store: Store) -> None:
    recent = first_id(NOW + timedelta(hours=1))[:-12]
    with store.database.transaction() as cursor:
        cursor.execute(PILE, (recent, NOW))
    store.run(DELIVERIES, "ANALYZE TABLE notifications, notification_deliveries")
    explaining = Explaining(store.rows)

    missed(cast("Cursor", explaining), "u1", Since.exactly(NOW))

    assert explaining.steps[0].type == "range"
    assert explaining.used() == [("n", "inbox"), ("d", "one_per_channel")]
