"""Reservations whose slot has started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from scheduler.allocation.reservation_start import GRACE_PERIOD
from scheduler.domain.model import Health, Quota
from tests.integration.housekeeping.conftest import (
    FIRST_RESERVATION,
    add_entry,
    add_reservation,
    set_expiry,
)
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.store import Store


def status(store: Store) -> list[str]:
    return [one for (one,) in store.rows("SELECT status FROM reservations ORDER BY id")]


def holders(store: Store) -> list[tuple[str, str]]:
    query = "SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED' ORDER BY 1"
    return store.rows(query)


def notified(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT user_id, type FROM notifications ORDER BY id")


def test_the_device_is_allocated_from_the_start_to_the_end_of_the_slot(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d0"), device("d1")))
    add_reservation(store)
    add_reservation(store, at=NOW + MINUTE)

    assert housekeeping.run("start-reservations") == 1

    assert holders(store) == [("d1", "u1")]
    assert status(store) == ["STARTED", "RESERVED"]
    assert store.rows("SELECT id, expires_at, allocated_by FROM allocations") == [
        (str(UUID(int=FIRST_RESERVATION)), NOW + 60 * MINUTE, "reservation")
    ]
    assert notified(store) == [("u1", "allocation_success")]
    assert housekeeping.nudges == 1


def test_a_reservation_starts_when_the_previous_allocation_ends(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1", by="u2"), user("u1"), user("u3")))
    add_entry(store, "u3")
    set_expiry(store, NOW - SECOND)
    add_reservation(store)

    housekeeping.run("expire")
    housekeeping.run("start-reservations")
    housekeeping.run("serve-waiting")

    assert holders(store) == [("d1", "u1")]


@pytest.mark.parametrize("lost", [{"health": Health.FAILED}, {"holder": "u2"}])
def test_another_device_is_allocated_if_the_reserved_one_is_lost(
    store: Store, housekeeping: Housekeeping, lost: dict[str, Any]
) -> None:
    holder = lost.pop("holder", None)
    reserved = held("d1", by=holder) if holder else device("d1", **lost)
    store.seed(world(user("u1"), reserved, device("d2")))
    add_reservation(store)

    housekeeping.run("start-reservations")

    assert ("d2", "u1") in holders(store)


def test_another_device_is_allocated_if_the_reserved_one_has_become_too_small(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1", cpu_cores=1), device("d2", cpu_cores=4)))
    add_reservation(store)
    store.run("UPDATE reservations SET min_cpu_cores = 4")

    housekeeping.run("start-reservations")

    assert holders(store) == [("d2", "u1")]


def test_a_device_that_is_reserved_soon_is_not_allocated_instead(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1", health=Health.FAILED), device("d2")))
    add_reservation(store)
    add_reservation(store, "u2", "d2", at=NOW + 30 * MINUTE)

    assert housekeeping.run("start-reservations") == 0

    assert holders(store) == []


def test_a_reservation_without_a_device_is_retried(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1", health=Health.FAILED)))
    add_reservation(store)

    assert housekeeping.run("start-reservations") == 0
    assert status(store) == ["RESERVED"]
    store.run("UPDATE devices SET health = 'running'")
    assert housekeeping.after(MINUTE).run("start-reservations") == 1
    assert status(store) == ["STARTED"]


def test_a_reservation_without_a_device_fails_after_the_grace_period(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1", locale="en"), device("d1", health=Health.FAILED)))
    add_reservation(store)

    housekeeping.after(GRACE_PERIOD).run("start-reservations")

    assert status(store) == ["FAILED"]
    assert notified(store) == [("u1", "reservation_failed")]
    assert store.rows("SELECT channel FROM notification_deliveries ORDER BY 1") == [
        ("websocket",),
        ("email",),
    ]
    ((text,),) = store.rows("SELECT message FROM notifications")
    assert text.startswith(
        "No suitable device was free for your reservation of 1 March 2026, 12:00"
    )


def test_a_reservation_whose_devices_are_locked_does_not_keep_others_from_starting(
    store: Store, housekeeping: Housekeeping
) -> None:
    lost = device("d1", health=Health.FAILED)
    store.seed(world(user("u1"), user("u2"), lost, device("d2"), device("d3")))
    add_reservation(store, "u1", "d1")
    add_reservation(store, "u2", "d2")

    with locked(store.settings, "SELECT id FROM devices WHERE id = 'd3' FOR UPDATE"):
        assert housekeeping.run("start-reservations") == 1

    assert status(store) == ["RESERVED", "STARTED"]


def test_a_locked_reservation_does_not_keep_others_from_starting(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), user("u2"), device("d1"), device("d2")))
    add_reservation(store, "u1", "d1")
    add_reservation(store, "u2", "d2")

    with locked(store.settings, "SELECT id FROM reservations WHERE user_id = 'u1' FOR UPDATE"):
        assert housekeeping.run("start-reservations") == 1

    assert status(store) == ["RESERVED", "STARTED"]
    assert housekeeping.run("start-reservations") == 1


def test_a_user_is_notified_of_each_reservation_that_failed(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1", health=Health.FAILED)))
    add_reservation(store)
    add_reservation(store, at=NOW - MINUTE)

    housekeeping.after(GRACE_PERIOD).run("start-reservations")

    assert notified(store) == [("u1", "reservation_failed")] * 2


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ({"billing_hold": True}, "account or your service is suspended"),
        ({"quota": Quota(0)}, "quota"),
    ],
)
def test_a_user_who_may_not_hold_the_device_is_notified_of_the_reason(
    store: Store, housekeeping: Housekeeping, state: dict[str, Any], reason: str
) -> None:
    store.seed(world(user("u1", locale="en", **state), device("d1")))
    add_reservation(store)

    housekeeping.run("start-reservations")

    assert status(store) == ["FAILED"]
    assert holders(store) == []
    assert reason in store.rows("SELECT message FROM notifications")[0][0]


def test_a_reservation_does_not_start_after_its_slot(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), device("d1")))
    add_reservation(store)

    housekeeping.after(60 * MINUTE).run("start-reservations")

    assert (status(store), holders(store)) == (["FAILED"], [])


@pytest.mark.parametrize("size", [1, 10, 100])
def test_starting_reservations_costs_a_constant_number_of_statements(
    size: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(
        world(*(user(f"u{n}") for n in range(size)), *(device(f"d{n}") for n in range(size)))
    )
    for number in range(size):
        add_reservation(store, f"u{number}", f"d{number}")

    with counted(housekeeping.database) as statements:
        assert housekeeping.run("start-reservations") == size

    # Reads: three pages, the users, their devices, the reservations again, the reserved devices.
    # Writes: reservations, devices, their last allocation, allocations, notifications, deliveries,
    # events.
    assert (statements.selects, statements.writes) == (2 + 4, 7)
