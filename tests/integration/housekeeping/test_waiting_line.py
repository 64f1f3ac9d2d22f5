"""The line, where no transaction served it: a user was busy, or got room afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from housekeeping.serve_waiting import ENTRIES_PER_TRANSACTION
from scheduler.database.connection import connect
from tests.integration.housekeeping.conftest import Keeper, ends, line
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


def status(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT user_id, status FROM waiting ORDER BY id")


def holders(store: Store) -> list[tuple[str, str]]:
    query = "SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED' ORDER BY 1"
    return store.rows(query)


def test_an_expired_device_is_given_to_the_first_in_line(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1", by="u1"), user("u2")))
    line(store, "u2")
    ends(store, NOW - SECOND)

    keeper.run("expire")

    assert holders(store) == [("d1", "u2")]
    assert status(store) == [("u2", "SERVED")]
    assert keeper.nudges == 1


def test_a_blocked_user_who_still_holds_something_leaves_the_line(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(held("d1", by="u1"), user("u1", billing_hold=True), user("u2")))
    line(store, "u2")

    keeper.run("reconcile-users")

    assert holders(store) == [("d1", "u2")]


def test_free_devices_are_given_to_the_line_in_its_order(store: Store, keeper: Keeper) -> None:
    store.seed(world(*(user(f"u{n}") for n in range(4)), device("d1"), device("d2")))
    for number, priority in enumerate((0, 1, 0, 0)):
        line(store, f"u{number}", priority=priority)

    assert keeper.run("serve-waiting") == 2

    assert {user_id for _, user_id in holders(store)} == {"u0", "u1"}
    assert keeper.run("serve-waiting") == 0


def test_those_without_room_hide_nobody_behind_them(store: Store, keeper: Keeper) -> None:
    full = ENTRIES_PER_TRANSACTION + 10
    store.seed(
        world(*(user(f"full{n}", billing_hold=True) for n in range(full)), user("u1"), device())
    )
    for number in range(full):
        line(store, f"full{number}")
    line(store, "u1")

    assert keeper.run("serve-waiting") == 1

    assert holders(store) == [("d1", "u1")]


def test_a_busy_user_is_passed_over_and_served_a_minute_later(
    store: Store, keeper: Keeper, database_url: str
) -> None:
    store.seed(world(user("u1"), held("d1", by="u2"), user("u2")))
    line(store, "u1")
    busy = connect(store.settings)
    with busy.cursor() as cursor:
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")
        with Functions(database_url) as functions:
            functions.handle(message("user.suspended", userId="u2"))
            assert holders(store) == []
            assert keeper.run("serve-waiting") == 0
    busy.rollback()  # the locks of a connection that closes last a moment longer
    busy.close()

    assert keeper.run("serve-waiting") == 1
    assert holders(store) == [("d1", "u1")]


def test_nobody_waits_longer_than_he_wanted_to_and_is_told(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), user("u2"), user("u3")))
    line(store, "u1", until=NOW)
    line(store, "u2", until=NOW + MINUTE)
    line(store, "u3", until=NOW - MINUTE)
    store.run("UPDATE waiting SET status = 'SERVED' WHERE user_id = 'u3'")

    assert keeper.run("expire-waiting") == 1
    assert keeper.run("expire-waiting") == 0

    assert status(store) == [("u1", "EXPIRED"), ("u2", "WAITING"), ("u3", "SERVED")]
    assert store.rows("SELECT user_id, type FROM notifications") == [("u1", "waiting_expired")]


def test_whose_time_is_over_is_not_served_any_more(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), device()))
    line(store, "u1", until=NOW)

    assert keeper.run("serve-waiting") == 0


@pytest.mark.parametrize("size", [1, 10, 100])
def test_handing_over_costs_a_constant_number_of_statements(
    size: int, store: Store, database_url: str
) -> None:
    holding = (held(f"d{n}", by=f"u{n}") for n in range(size))
    store.seed(world(*holding, *(user(f"w{n}") for n in range(size))))
    for number in range(size):
        line(store, f"w{number}")

    with Functions(database_url) as functions, counted(functions.database) as statements:
        functions.handle(*(message("user.suspended", userId=f"u{n}") for n in range(size)))

    assert len(holders(store)) == size
    # Beyond the 13 of a batch: users of the line, their places again, what they hold, what is
    # reserved; the grants, when the devices were given last, and the places.
    assert (statements.selects, statements.writes) == (5 + 4, 8 + 3)


@pytest.mark.parametrize("waiting", [0, 1])
def test_an_event_that_frees_nothing_does_not_ask_who_waits(
    waiting: int, store: Store, database_url: str
) -> None:
    store.seed(world(held("d1"), user("u2")))
    if waiting:
        line(store, "u2")

    with Functions(database_url) as functions, counted(functions.database) as statements:
        functions.handle(message("device.failed"))

    assert statements.selects == 4
