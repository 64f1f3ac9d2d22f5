"""The queries of every hand-over use an index, however many old rows there are."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from scheduler.database import reservations, waiting
from scheduler.database.allocations import held_by
from tests.support.explaining import Explaining
from tests.support.world import NOW, device

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from tests.support.store import Store

OLD_ROWS = (
    """
    INSERT INTO waiting (id, user_id, priority, minutes, min_cpu_cores, min_memory_mb, status,
        created_at, expires_at, ended_at)
    SELECT UUID(), CONCAT('u', seq % 500), 0, 60, seq % 4, 0, IF(seq % 40, 'SERVED', 'WAITING'),
        '2026-01-01', '2026-04-01', '2026-01-01' FROM seq_1_to_20000
    """,
    """
    INSERT INTO reservations (id, user_id, device_id, starts_at, ends_at, min_cpu_cores,
        min_memory_mb, status, created_at)
    SELECT UUID(), CONCAT('u', seq % 500), CONCAT('d', seq % 500), '2026-03-02', '2026-03-03', 0, 0,
        IF(seq % 40, 'STARTED', 'RESERVED'), '2026-01-01' FROM seq_1_to_20000
    """,
    """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    SELECT UUID(), CONCAT('u', seq % 500), CONCAT('d', seq), IF(seq % 40, 'RELEASED', 'ALLOCATED'),
        '2026-01-01', '2026-04-01' FROM seq_1_to_20000
    """,
    """
    INSERT INTO devices (id, name, cpu_cores) SELECT CONCAT('d', seq), '', seq % 8
    FROM seq_1_to_5000
    """,
    "ANALYZE TABLE waiting, reservations, allocations, devices",
)


def test_every_query_on_waiting_line_and_slots_uses_its_index(store: Store) -> None:
    store.run(*OLD_ROWS)
    plans = Explaining(store.rows)
    cursor = cast("Cursor", plans)
    affected = [("w", "by_user"), ("r", "by_user"), ("w", "line")]

    waiting.affected(cursor, ["u1", "u2"], ["u1"], [device()], NOW)
    assert plans.used("<derived4>") == affected
    waiting.affected(cursor, [], [], [device()], NOW)
    assert plans.used("<derived4>") == affected
    held_by(cursor, ["u1", "u2"])
    assert plans.used() == [("a", "active_by_user"), ("d", "PRIMARY")]
    reservations.reserved_from(cursor, ["d1", "d2"])
    assert plans.used() == [("reservations", "calendar")]
    waiting.of_user(cursor, "u1")
    assert plans.used() == [("w", "by_user")]
    reservations.of_user(cursor, "u1")
    assert plans.used() == [("r", "by_user")]
