"""Users are warned five minutes before an allocation ends, once for each expiry time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Housekeeping, before_transaction, set_expiry
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, held, world

if TYPE_CHECKING:
    from datetime import timedelta

    from tests.support.store import Store


def warned(store: Store) -> list[str]:
    return [key for (key,) in store.rows("SELECT dedupe_key FROM notifications ORDER BY id")]


@pytest.mark.parametrize(
    ("left", "warnings"), [(5 * MINUTE, 1), (SECOND, 1), (5 * MINUTE + SECOND, 0), (0 * SECOND, 0)]
)
def test_a_warning_is_sent_in_the_last_five_minutes(
    left: timedelta, warnings: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, NOW + left)

    assert housekeeping.run("warn") == warnings == len(warned(store)) == housekeeping.nudges


def test_a_warning_is_sent_by_websocket_and_changes_nothing_else(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, NOW + 4 * MINUTE)
    before = store.state()

    housekeeping.run("warn")

    after = store.state()
    (notice,) = after.pop("notifications")
    assert (notice.user_id, notice.type) == ("u1", "allocation_expiring_soon")
    assert "2026年3月1日 20:04" in notice.message
    assert notice.data["expiresAt"] == "2026-03-01T12:04:00+00:00"
    assert after.pop("deliveries") == [(notice.dedupe_key, "websocket", "pending")]
    assert after == {name: rows for name, rows in before.items() if name in after}


def test_a_user_is_warned_once_of_the_same_expiry_time(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1"), held("d2")))
    set_expiry(store, NOW + 4 * MINUTE, "d1")
    set_expiry(store, NOW + 4 * MINUTE + SECOND / 3, "d2")

    counts = [housekeeping.after(MINUTE).run("warn") for _ in range(4)]

    assert counts == [2, 0, 0, 0]


def test_a_user_is_warned_again_after_an_extension(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, NOW + 4 * MINUTE)
    housekeeping.run("warn")
    set_expiry(store, NOW + 34 * MINUTE)

    assert housekeeping.after(2 * MINUTE).run("warn") == 0
    assert housekeeping.after(28 * MINUTE).run("warn") == 1

    assert warned(store) == [
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:04:00.000000",
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:34:00.000000",
    ]


def test_no_warning_is_sent_after_an_extension_between_search_and_lock(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, NOW + 4 * MINUTE)
    before_transaction(housekeeping, 2, lambda: set_expiry(store, NOW + 60 * MINUTE))

    assert housekeeping.run("warn") == 0


def test_no_second_warning_is_sent_if_another_run_warned_between_search_and_lock(
    store: Store, housekeeping: Housekeeping, database_url: str
) -> None:
    store.seed(world(held("d1")))
    set_expiry(store, NOW + 4 * MINUTE)
    other = Housekeeping(database_url)
    before_transaction(housekeeping, 2, lambda: other.run("warn"))

    assert housekeeping.run("warn") == 0
    assert len(warned(store)) == 1
    other.database.close()


@pytest.mark.parametrize("size", [1, 10, ALLOCATIONS_PER_TRANSACTION])
def test_a_transaction_has_a_constant_number_of_statements(
    size: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(size))))
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(NOW + MINUTE)}'")  # noqa: S608 - a time of the test

    with counted(housekeeping.database) as statements:
        assert housekeeping.run("warn") == size

    assert (statements.selects, statements.writes) == (2 + 6, 2)
