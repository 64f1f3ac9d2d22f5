"""A run costs the same however much waits: rows read, and what is left for the next run."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from housekeeping import search_pass, serve_waiting, start_reservations
from housekeeping.serve_waiting import ENTRIES_PER_TRANSACTION, PAGES_PER_RUN
from scheduler.database import purge, waiting_pages
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.times import to_sql
from scheduler.database.waiting import MAX_SEARCHED
from tests.integration.housekeeping.conftest import (
    add_entry,
    add_reservation,
    rows_read,
    set_expiry,
)
from tests.integration.housekeeping.old_rows import add_old_rows
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.store import Store

FEW, MANY = 1_000, 20_000
DUE, POSTPONED = NOW - MINUTE, NOW + 60 * MINUTE


def add_pending(store: Store, count: int) -> None:
    """Insert deliveries of every channel: due, to be retried, and postponed by quiet hours."""
    created = f"'{to_sql(NOW - 60 * MINUTE)}' + INTERVAL seq MICROSECOND"
    store.run(
        f"""
        INSERT INTO notifications
            (id, user_id, type, title, message, data, dedupe_key, created_at)
        SELECT seq, CONCAT('u', seq % 1000), 'x', '', '', '{{}}', seq, {created}
        FROM seq_1_to_{count}
        """,  # noqa: S608 - a number and times of the test
        f"""
        INSERT INTO notification_deliveries
            (notification_id, channel, status, attempts, next_attempt_at)
        SELECT seq, ELT(1 + seq % 3, 'websocket', 'email', 'sms'), 'pending', seq % 7 = 0,
            IF(seq % 5, '{to_sql(DUE)}', '{to_sql(POSTPONED)}') FROM seq_1_to_{count}
        """,  # noqa: S608 - a number and times of the test
        "ANALYZE TABLE notifications, notification_deliveries",
    )


def add_line(store: Store, count: int, *, memory_mb: int = 1 << 20) -> None:
    """Insert entries that want a large device, with several priorities."""
    created = f"'{to_sql(NOW - 60 * MINUTE)}' + INTERVAL seq MICROSECOND"
    store.run(
        f"""
        INSERT INTO waiting (id, user_id, priority, minutes, min_cpu_cores, min_memory_mb,
            created_at, expires_at)
        SELECT CONCAT('00000000-0000-7000-8000-', LPAD(seq, 12, '0')), CONCAT('w', seq), seq % 3,
            60, 1, {memory_mb}, {created}, '{to_sql(NOW + 60 * MINUTE)}' FROM seq_1_to_{count}
        """,  # noqa: S608 - a number and times of the test
        "ANALYZE TABLE waiting",
    )


def read_by(job: str, housekeeping: Housekeeping) -> int:
    before = rows_read(housekeeping)
    housekeeping.run(job)
    return rows_read(housekeeping) - before


def test_measuring_the_oldest_notification_does_not_read_the_whole_backlog(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_pending(store, 3 * FEW)
    few = read_by("sweep", housekeeping)
    store.clear()
    add_pending(store, MANY)

    assert read_by("sweep", housekeeping) <= few * 1.1


def test_serving_does_not_read_the_whole_line(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_pages, "MAX_COUNTED", FEW)
    store.seed(world(*(device(f"d{n}") for n in range(20))))
    add_line(store, FEW)
    few = read_by("serve-waiting", housekeeping)
    store.run("DELETE FROM waiting")
    add_line(store, MANY)

    runs = [read_by("serve-waiting", housekeeping) for _ in range(3)]

    assert max(runs) <= few * 1.5  # there is a page more, and each page is full


def test_the_line_is_not_read_while_no_device_is_free(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(waiting_pages, "MAX_COUNTED", 1)
    store.seed(world(held("d1")))
    add_line(store, FEW)

    assert read_by("serve-waiting", housekeeping) < ENTRIES_PER_TRANSACTION


def test_freeing_a_device_does_not_read_the_whole_line(
    store: Store, housekeeping: Housekeeping
) -> None:
    read = []
    for waiting in (MAX_SEARCHED, MANY):
        store.clear()
        store.seed(world(held("d1")))
        set_expiry(store, NOW - SECOND, "d1")
        add_line(store, waiting)
        read.append(read_by("expire", housekeeping))

    few, many = read
    assert many <= few * 1.1


def test_the_sizes_of_free_devices_are_found_without_reading_all(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.run(
        f"""
        INSERT INTO devices (id, name, cpu_cores, memory_mb, health)
        SELECT seq, seq, seq % 4, IF(seq < 1000, 8192, 16384), IF(seq = 3, 'failed', 'running')
        FROM seq_0_to_{FEW}
        """,  # noqa: S608 - a number of the test
        "ANALYZE TABLE devices",
    )

    before = rows_read(housekeeping)
    with housekeeping.database.transaction() as cursor:
        free = waiting_pages.free_sizes(cursor)

    assert free.largest == {0: 16384, 1: 8192, 2: 8192, 3: 8192}
    assert rows_read(housekeeping) - before < len(free.largest) * 10


def test_the_measured_length_of_the_line_is_limited(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_line(store, 3)

    lengths = []
    for limit in (2, 3, 4):
        monkeypatch.setattr(waiting_pages, "MAX_COUNTED", limit)
        lengths.append(store.database.run(waiting_pages.length))

    assert lengths == [2, 3, 3]


def test_an_entry_far_behind_others_that_cannot_be_served_has_its_turn(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("last"), device("d1")))
    add_line(store, 3 * PAGES_PER_RUN * ENTRIES_PER_TRANSACTION)
    store.run(
        "UPDATE waiting SET user_id = 'last', min_memory_mb = 0"
        " WHERE status = 'WAITING' ORDER BY priority, created_at DESC, id DESC LIMIT 1"
    )

    served = [housekeeping.run("serve-waiting") for _ in range(4)]

    assert served == [0, 0, 1, 0]


def test_purging_one_table_leaves_time_for_the_others(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "ROWS_PER_STATEMENT", 10)
    tables = ("processed_messages", "allocations", "notifications", "outgoing_events")
    monkeypatch.setattr(purge, "CHUNKS_PER_RUN", 2 * len(tables))
    add_old_rows(store, 25, NOW - timedelta(days=400))

    assert housekeeping.run("purge") == 20 * len(tables)

    left = [store.rows(f"SELECT COUNT(*) FROM {table}") for table in tables]  # noqa: S608 - constants
    assert left == [[(5,)]] * len(tables)
    assert [housekeeping.run("purge") for _ in range(2)] == [5 * len(tables), 0]


def test_a_table_alone_may_use_the_whole_run_of_purge(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "ROWS_PER_STATEMENT", 10)
    monkeypatch.setattr(purge, "CHUNKS_PER_RUN", 4)
    long_ago = NOW - timedelta(days=400)
    store.insert(
        "processed_messages",
        "queue, message_id, body_sha256, processed_at",
        [("q", str(number), b"\0" * 32, long_ago) for number in range(45)],
    )

    assert [housekeeping.run("purge") for _ in range(2)] == [40, 5]


@pytest.mark.parametrize("job", ["expire", "warn"])
def test_a_run_changes_a_limited_number_of_allocations(
    job: str, store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_pass, "MAX_PAGES", 1)
    count = ALLOCATIONS_PER_TRANSACTION + 1
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(count))))
    for n in range(count):
        set_expiry(store, NOW - SECOND if job == "expire" else NOW + MINUTE, f"d{n}")

    assert [housekeeping.run(job) for _ in range(3)] == [count - 1, 1, 0]


def test_a_run_expires_entries_in_order_of_their_end(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve_waiting, "ENTRIES_PER_TRANSACTION", 2)
    monkeypatch.setattr(serve_waiting, "EXPIRED_PAGES_PER_RUN", 1)
    ends = [NOW - 2 * SECOND, NOW, NOW - SECOND]
    store.seed(world(*(user(f"u{n}") for n in range(len(ends)))))
    for n, end in enumerate(ends):
        add_entry(store, f"u{n}", until=end)

    housekeeping.run("expire-waiting")

    query = "SELECT user_id FROM waiting WHERE status = 'WAITING'"
    assert store.rows(query) == [("u1",)]


def test_a_run_starts_a_limited_number_of_reservations(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(start_reservations, "RESERVATIONS_PER_TRANSACTION", 2)
    monkeypatch.setattr(start_reservations, "PAGES_PER_RUN", 1)
    store.seed(world(*(user(f"u{n}") for n in range(3)), *(device(f"d{n}") for n in range(3))))
    for n, minutes in enumerate((0, 1, 1)):
        add_reservation(store, f"u{n}", f"d{n}", NOW - minutes * MINUTE)

    assert housekeeping.run("start-reservations") == 2

    query = "SELECT user_id FROM reservations WHERE status = 'RESERVED'"
    assert store.rows(query) == [("u0",)]
