"""Frequent queries use an index, however large the tables are."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from allocation_api.resources import devices, notifications, users
from scheduler.allocation.device_picker import DevicePicker
from scheduler.allocation.idempotency import IdempotencyKey, IdempotencyKeys
from scheduler.database import allocations
from scheduler.database.allocations import AllocationStatus, PagePosition
from scheduler.domain.quota import NO_LIMIT, Requirements
from scheduler.settings import AllocationStrategy
from tests.support.explaining import Explaining

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from tests.integration.api.rows import Rows

AT = datetime(2026, 1, 1, tzinfo=UTC)
UUID = "01900000-0000-7000-8000-{}"
# Half of the rows belong to one user.
ROWS = """
    INSERT INTO users (id, max_devices) SELECT CONCAT('u', seq), 10 FROM seq_1_to_1000;

    INSERT INTO devices (id, name, cpu_cores, memory_mb, status, last_allocated_at)
    SELECT CONCAT('d', seq), 'x', 1 + seq % 8, 1024 * (1 + seq % 16),
           IF(seq <= 500, 'allocated', 'available'), '2026-01-01' + INTERVAL seq SECOND
    FROM seq_1_to_2000;

    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT CONCAT('01900000-0000-7000-8000-', LPAD(seq, 12, '0')),
           CONCAT('u', IF(seq % 2, 1, seq % 1000)), CONCAT('d', IF(seq <= 500, seq, seq % 2000)),
           IF(seq <= 500, 'ALLOCATED', 'RELEASED'), '2026-01-01' + INTERVAL seq SECOND, NOW()
    FROM seq_1_to_8000;

    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT id, user_id, 'x', 'x', 'x', '{}', id, allocated_at FROM allocations;

    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    SELECT id, 'websocket', created_at FROM notifications;

    INSERT INTO idempotency_keys
    SELECT user_id, id, REPEAT('x', 32), id, allocated_at FROM allocations;

    ANALYZE TABLE users, devices, allocations, notifications, notification_deliveries,
        idempotency_keys
"""


@pytest.fixture
def cursor(rows: Rows) -> Explaining:
    for statement in ROWS.split(";"):
        rows.run(statement.replace("%", "%%"))
    return Explaining(rows.all)


def test_every_hot_query_uses_its_index(cursor: Explaining) -> None:
    sql: Cursor = cursor  # type: ignore[assignment]  # for these queries

    indexes = {
        AllocationStrategy.RESOURCE_BASED: ["best_fit"],
        AllocationStrategy.ROUND_ROBIN: ["longest_unused"],
        AllocationStrategy.RANDOM: ["lottery", "lottery"],
    }
    for strategy, expected in indexes.items():
        # Devices of unknown size are searched as well, if they suit.
        for requirements, times in ((Requirements(), 2), (Requirements(4, 8192), 1)):
            DevicePicker(sql, strategy, Counter([requirements]))._lock(
                requirements, NO_LIMIT, AT, 1
            )
            steps = ([("d", index), *[("r", "calendar")] * 2] for index in expected * times)
            assert cursor.used() == [step for one in steps for step in one]
    DevicePicker(sql, AllocationStrategy.RANDOM, Counter())._is_free(
        Requirements(4, 8192), NO_LIMIT, AT
    )
    assert cursor.used() == [("d", "best_fit"), ("r", "calendar")]

    allocations.find(sql, UUID.format("000000000001"))
    # Constant tables: all rows are found by their primary keys before the query runs.
    assert cursor.used() == [("a", "PRIMARY"), ("d", "PRIMARY"), ("u", "PRIMARY")]
    last = PagePosition(AT, UUID.format("000000007999"))
    for before in (None, last):
        allocations.of_user(sql, "u1", None, before, 50)
        assert cursor.used() == [("a", "by_user"), ("d", "PRIMARY"), ("u", "PRIMARY")]
        for status in (AllocationStatus.ALLOCATED, AllocationStatus.RELEASED):
            allocations.of_user(sql, "u1", status, before, 50)
            assert cursor.used() == [("a", "active_by_user"), ("d", "PRIMARY"), ("u", "PRIMARY")]
    IdempotencyKeys(sql, [IdempotencyKey("u1", last.id), IdempotencyKey("u2", last.id)])
    assert cursor.used() == [("idempotency_keys", "PRIMARY")]

    users.select_user(sql, "u1")
    assert cursor.used() == [("u", "PRIMARY"), ("a", "active_by_user")]
    devices.select_device(sql, "d1")
    assert cursor.used() == [("d", "PRIMARY"), ("a", "one_holder_per_device")]
    devices.select_devices(sql, None, None, "d2", 100)
    assert cursor.used() == [("d", "PRIMARY"), ("a", "one_holder_per_device")]
    for before_id in (None, last.id):
        for unread in (True, False):
            notifications.select_notifications(sql, "u1", before_id, 50, unread=unread)
            assert cursor.used() == [("notifications", "inbox")]
    notifications.select_deliveries(sql, (last.id,))
    assert cursor.used() == [("notification_deliveries", "one_per_channel")]
    notifications.update_read(sql, "u1", last.id, AT)
    assert cursor.used() == [("notifications", "PRIMARY")]
