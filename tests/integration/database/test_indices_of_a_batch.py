"""A batch reads only the rows of its messages, however many old rows there are."""

from datetime import timedelta

import pytest

from scheduler.database import erasures
from scheduler.database.connection import Database
from scheduler.messaging.message import Message
from tests.integration.housekeeping.old_rows import add_old_rows
from tests.support.events import EVENT_TYPES, message
from tests.support.explaining import explain
from tests.support.functions import Functions
from tests.support.store import Store
from tests.support.world import NOW, held, world

PAST = 10_000
PRESENT = 3000
CHOICES = """
    INSERT INTO notification_preferences (user_id, channels)
    SELECT CONCAT('u', seq), '{}' FROM seq_0_to_29999
"""
MARKS = """
    INSERT INTO event_versions (aggregate, id, concern, version, occurred_at)
    SELECT ELT(1 + seq % 2, 'user', 'device'), CONCAT('old-', seq), 'creation', NULL, NOW(6)
    FROM seq_1_to_10000
"""
MORE = (
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('more-', seq), 'u-old', 'd-old', 'RELEASED', NOW(6), NOW(6) FROM seq_1_to_20000
    """,
    """
    INSERT INTO processed_messages (queue, message_id, body_sha256, processed_at)
    SELECT ELT(1 + seq % 2, 'scheduler.user-suspended', 'scheduler.user-deleted'), seq,
        REPEAT('x', 32), NOW(6) FROM seq_1_to_20000
    """,
)
DELIVERED = (
    """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT('old-', seq), 'u1', 'device_released', 't', 'm', '{}', CONCAT('old-', seq), NOW(6)
    FROM seq_1_to_2000
    """,
    """
    INSERT INTO notification_deliveries
        (notification_id, channel, status, next_attempt_at, user_id)
    SELECT CONCAT('old-', seq), 'websocket', ELT(1 + seq % 2, 'sent', 'skipped'), NOW(6), 'u1'
    FROM seq_1_to_2000
    """,
)
ANALYZE = """
    ANALYZE TABLE users, devices, allocations, event_versions, processed_messages, notifications,
    notification_deliveries, notification_preferences
"""

# The index that is used for each table, by the table's alias in the statements.
INDICES = {
    "processed_messages": "PRIMARY",
    "u": "PRIMARY",
    "p": "PRIMARY",
    "d": "PRIMARY",
    "v": "PRIMARY",
    "early": "PRIMARY",
    "a": "one_holder_per_device",
    "notification_preferences": "PRIMARY",
    "r": "by_user",
}


@pytest.fixture
def past(store: Store) -> None:
    """Many old rows, and many users who hold a device each."""
    add_old_rows(store, PAST, NOW - timedelta(days=20))
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(PRESENT))))
    store.run(MARKS, CHOICES)
    store.rows(ANALYZE)


def batch(event_type: str, size: int) -> list[Message]:
    if event_type.startswith("device"):
        return [message(event_type, deviceId=f"d{n}") for n in range(size)]
    return [message(event_type, userId=f"u{n}") for n in range(size)]


@pytest.mark.usefixtures("past")
def test_every_statement_of_every_event_uses_the_right_index(
    functions: Functions,
) -> None:
    plans = explain(functions.database)

    for size in (100, 10, 1, 1000):
        for event_type in EVENT_TYPES:
            functions.handle(*batch(event_type, size))

    assert len(plans) > 15 * 4 * 3
    searched = [plan for plan in plans if plan["table"]]
    for plan in searched:
        assert plan["key"] == index_for(plan["statement"], plan["table"]), plan
        assert plan["type"] in {"const", "eq_ref", "ref", "range"}, plan
        assert "filesort" not in (plan["Extra"] or ""), plan
        assert "temporary" not in (plan["Extra"] or ""), plan


def index_for(statement: str, table: str) -> str:
    if table == "allocations":
        by_device = "active_device_id IN" in statement
        return "one_holder_per_device" if by_device else "active_by_user"
    if "subject_id IN" in statement:
        return "by_subject"
    if "notification_deliveries d" in statement:
        by_user = "UNION ALL" in statement and table == "d"
        return "by_user" if by_user else "PRIMARY"
    return INDICES[table]


@pytest.mark.usefixtures("past")
@pytest.mark.parametrize("event_type", ["device.failed", "user.suspended", "user.deleted"])
def test_a_batch_reads_the_same_number_of_rows_with_twice_as_many_old_rows(
    event_type: str, store: Store, functions: Functions
) -> None:
    messages = batch(event_type, 100)
    first = rows_read(functions, messages[:50])
    store.run(*MORE)
    store.rows(ANALYZE)

    second = rows_read(functions, messages[50:])

    assert second <= first + 50
    assert first < 50 * 50


def test_deletion_reads_a_bounded_number_of_finished_deliveries(
    store: Store, functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With 300,000 of them it took longer than a statement may, and the user was never deleted."""
    monkeypatch.setattr(erasures, "MAX_FINISHED", 10)
    store.seed(world(held("d1")))
    store.run(*DELIVERED)

    assert rows_read(functions, [message("user.deleted")]) < 200


def rows_read(functions: Functions, messages: list[Message]) -> int:
    before = _reads(functions.database)
    assert functions.handle(*messages) == {"success": len(messages)}
    return _reads(functions.database) - before


def _reads(database: Database) -> int:
    with database.transaction() as cursor:
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'")
        return sum(int(value) for _, value in cursor.fetchall())
