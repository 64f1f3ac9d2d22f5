"""Users are warned five minutes before, once for each time their allocation may end at."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Keeper, before_transaction, ends
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
def test_a_warning_comes_in_the_last_five_minutes(
    left: timedelta, warnings: int, store: Store, keeper: Keeper
) -> None:
    store.seed(world(held("d1")))
    ends(store, NOW + left)

    assert keeper.run("warn") == warnings == len(warned(store)) == keeper.nudges


def test_a_warning_goes_to_the_websocket_and_changes_nothing_else(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(held("d1")))
    ends(store, NOW + 4 * MINUTE)
    before = store.state()

    keeper.run("warn")

    after = store.state()
    (notice,) = after.pop("notifications")
    assert (notice.user_id, notice.type) == ("u1", "allocation_expiring_soon")
    assert "2026-03-01 12:04 UTC" in notice.message
    assert notice.data["expiresAt"] == "2026-03-01T12:04:00+00:00"
    assert after.pop("deliveries") == [(notice.dedupe_key, "websocket", "pending")]
    assert after == {name: rows for name, rows in before.items() if name in after}


def test_nobody_is_warned_twice_of_the_same_end(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1"), held("d2")))
    ends(store, NOW + 4 * MINUTE, "d1")
    ends(store, NOW + 4 * MINUTE + SECOND / 3, "d2")

    counts = [keeper.after(MINUTE).run("warn") for _ in range(4)]

    assert counts == [2, 0, 0, 0]


def test_an_extended_allocation_is_warned_of_again(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1")))
    ends(store, NOW + 4 * MINUTE)
    keeper.run("warn")
    ends(store, NOW + 34 * MINUTE)

    assert keeper.after(2 * MINUTE).run("warn") == 0
    assert keeper.after(28 * MINUTE).run("warn") == 1

    assert warned(store) == [
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:04:00.000000",
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:34:00.000000",
    ]


def test_an_extension_that_comes_before_the_lock_saves_the_warning(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(held("d1")))
    ends(store, NOW + 4 * MINUTE)
    before_transaction(keeper, 2, lambda: ends(store, NOW + 60 * MINUTE))

    assert keeper.run("warn") == 0


def test_another_housekeeper_that_warned_before_the_lock_is_enough(
    store: Store, keeper: Keeper, database_url: str
) -> None:
    store.seed(world(held("d1")))
    ends(store, NOW + 4 * MINUTE)
    other = Keeper(database_url)
    before_transaction(keeper, 2, lambda: other.run("warn"))

    assert keeper.run("warn") == 0
    assert len(warned(store)) == 1
    other.database.close()


@pytest.mark.parametrize("size", [1, 10, ALLOCATIONS_PER_TRANSACTION])
def test_a_chunk_costs_a_constant_number_of_statements(
    size: int, store: Store, keeper: Keeper
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(size))))
    store.run(f"UPDATE allocations SET expires_at = '{to_sql(NOW + MINUTE)}'")  # noqa: S608

    with counted(keeper.database) as statements:
        assert keeper.run("warn") == size

    assert (statements.selects, statements.writes) == (2 + 6, 2)
