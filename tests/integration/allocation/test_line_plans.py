"""What is asked whenever a device becomes free is answered by an index, however long the past."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from scheduler.database import reservations, waiting
from scheduler.database.allocations import held_by
from tests.support.world import NOW, device

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from tests.support.store import Store

PAST = (
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


class Plans:
    """A cursor that explains what it is given instead of executing it."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: list[tuple[str, str, str]] = []

    def execute(self, statement: str, parameters: tuple[Any, ...]) -> int:
        for row in self._store.rows(f"EXPLAIN {statement}", *parameters):
            self._seen.append((row[2], row[5], row[9] or ""))
        return 0

    def fetchone(self) -> None:
        return None

    def fetchall(self) -> list[tuple[object, ...]]:
        return []

    def used(self) -> list[tuple[str, str]]:
        """Return the index by which each table was read; nothing may have been sorted."""
        seen, self._seen = self._seen, []
        assert not [extra for *_, extra in seen if "filesort" in extra]
        return [(table, key) for table, key, _ in seen if not table.startswith("<")]


def test_every_question_about_line_and_slots_uses_its_index(store: Store) -> None:
    store.run(*PAST)
    plans = Plans(store)
    cursor = cast("Cursor", plans)

    waiting.concerned(cursor, ["u1", "u2"], [device()], NOW)
    assert plans.used() == [("w", "by_user"), ("w", "line")]
    waiting.concerned(cursor, [], [device()], NOW)
    assert plans.used() == [("w", "by_user"), ("w", "line")]
    held_by(cursor, ["u1", "u2"])
    assert plans.used() == [("a", "active_by_user"), ("d", "PRIMARY")]
    reservations.reserved_from(cursor, ["d1", "d2"])
    assert plans.used() == [("reservations", "calendar")]
    waiting.of_user(cursor, "u1")
    assert plans.used() == [("w", "by_user")]
    reservations.of_user(cursor, "u1")
    assert plans.used() == [("r", "by_user")]
