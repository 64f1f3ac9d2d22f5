"""Serving the waiting line, on hand-over and by the jobs, and the expiry of entries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from housekeeping.serve_waiting import ENTRIES_PER_TRANSACTION
from scheduler.database.connection import connect
from tests.integration.housekeeping.conftest import Housekeeping, add_entry, set_expiry
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


def status(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT user_id, status FROM waiting ORDER BY id")


def holders(store: Store) -> list[tuple[str, str]]:
    query = "SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED' ORDER BY 1"
    return store.rows(query)


def test_an_expired_device_is_allocated_to_the_first_in_line(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1", by="u1"), user("u2")))
    add_entry(store, "u2")
    set_expiry(store, NOW - SECOND)

    housekeeping.run("expire")

    assert holders(store) == [("d1", "u2")]
    assert status(store) == [("u2", "SERVED")]
    assert housekeeping.nudges == 1


def test_the_device_of_a_blocked_user_is_allocated_to_the_first_in_line(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1", by="u1"), user("u1", billing_hold=True), user("u2")))
    add_entry(store, "u2")

    housekeeping.run("reconcile-users")

    assert holders(store) == [("d1", "u2")]


def test_free_devices_are_allocated_in_serving_order(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(user(f"u{n}") for n in range(4)), device("d1"), device("d2")))
    for number, priority in enumerate((0, 1, 0, 0)):
        add_entry(store, f"u{number}", priority=priority)

    assert housekeeping.run("serve-waiting") == 2

    assert {user_id for _, user_id in holders(store)} == {"u0", "u1"}
    assert [one for _, one in status(store)] == ["SERVED", "SERVED", "WAITING", "WAITING"]
    assert store.rows("SELECT DISTINCT expires_at FROM allocations") == [(NOW + 60 * MINUTE,)]
    assert housekeeping.run("serve-waiting") == 0


def test_entries_that_cannot_be_served_do_not_block_those_behind_them(
    store: Store, housekeeping: Housekeeping
) -> None:
    full = ENTRIES_PER_TRANSACTION + 10
    store.seed(
        world(*(user(f"full{n}", billing_hold=True) for n in range(full)), user("u1"), device())
    )
    for number in range(full):
        add_entry(store, f"full{number}")
    add_entry(store, "u1")

    assert housekeeping.run("serve-waiting") == 1

    assert holders(store) == [("d1", "u1")]


def test_run_that_allocates_the_last_device_keeps_its_position_in_a_long_line(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = ENTRIES_PER_TRANSACTION
    blocked = [user(f"full{n}", billing_hold=True) for n in range(2 * full)]
    store.seed(world(*blocked, user("u1"), user("u2"), device("d1")))
    line = [one.id for one in blocked]
    for user_id in [*line[:full], "u1", *line[full:], "u2"]:
        add_entry(store, user_id)
    assert housekeeping.run("serve-waiting") == 1
    store.seed(world(device("d2")))
    monkeypatch.setattr("housekeeping.serve_waiting.PAGES_PER_RUN", 1)

    assert housekeeping.run("serve-waiting") == 1

    assert holders(store) == [("d1", "u1"), ("d2", "u2")]


def test_a_locked_device_is_allocated_by_a_later_run(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1")))
    add_entry(store, "u1")

    with locked(store.settings, "SELECT id FROM devices WHERE id = 'd1' FOR UPDATE"):
        assert housekeeping.run("serve-waiting") == 0

    assert housekeeping.run("serve-waiting") == 1


def test_a_locked_user_is_skipped_and_served_a_minute_later(
    store: Store, housekeeping: Housekeeping, database_url: str
) -> None:
    store.seed(world(user("u1"), held("d1", by="u2"), user("u2")))
    add_entry(store, "u1")
    busy = connect(store.settings)
    with busy.cursor() as cursor:
        cursor.execute("SELECT id FROM users WHERE id = 'u1' FOR UPDATE")
        with Functions(database_url) as functions:
            functions.handle(message("user.suspended", userId="u2"))
            assert holders(store) == []
            assert housekeeping.run("serve-waiting") == 0
    busy.rollback()  # the locks of a connection that closes last a moment longer
    busy.close()

    assert housekeeping.run("serve-waiting") == 1
    assert holders(store) == [("d1", "u1")]


def test_an_entry_expires_and_its_user_is_notified(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), user("u2"), user("u3")))
    add_entry(store, "u1", until=NOW)
    add_entry(store, "u2", until=NOW + MINUTE)
    add_entry(store, "u3", until=NOW - MINUTE)
    store.run("UPDATE waiting SET status = 'SERVED' WHERE user_id = 'u3'")

    assert housekeeping.run("expire-waiting") == 1
    assert housekeeping.run("expire-waiting") == 0

    assert status(store) == [("u1", "EXPIRED"), ("u2", "WAITING"), ("u3", "SERVED")]
    assert store.rows("SELECT user_id, type FROM notifications") == [("u1", "waiting_expired")]


def test_an_entry_whose_time_is_over_is_not_served(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device()))
    add_entry(store, "u1", until=NOW)

    assert housekeeping.run("serve-waiting") == 0


@pytest.mark.parametrize("size", [1, 10, 100])
def test_handing_over_has_a_constant_number_of_statements(
    size: int, store: Store, database_url: str
) -> None:
    holding = (held(f"d{n}", by=f"u{n}") for n in range(size))
    store.seed(world(*holding, *(user(f"w{n}") for n in range(size))))
    for number in range(size):
        add_entry(store, f"w{number}")

    with Functions(database_url) as functions, counted(functions.database) as statements:
        functions.handle(*(message("user.suspended", userId=f"u{n}") for n in range(size)))

    assert len(holders(store)) == size
    # Besides the 13 of a batch: the waiting users, their entries again, their devices, the
    # reservations; the grants, the last allocation of the devices, and the entries.
    assert (statements.selects, statements.writes) == (5 + 4, 8 + 3)


@pytest.mark.parametrize("entries", [0, 1])
def test_an_event_that_frees_no_device_does_not_read_the_waiting_line(
    entries: int, store: Store, database_url: str
) -> None:
    store.seed(world(held("d1"), user("u2")))
    if entries:
        add_entry(store, "u2")

    with Functions(database_url) as functions, counted(functions.database) as statements:
        functions.handle(message("device.failed"))

    assert statements.selects == 4
