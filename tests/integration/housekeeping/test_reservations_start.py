"""Reservations whose time has come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from scheduler.allocation.reservation_start import GRACE_PERIOD
from scheduler.database.times import to_sql
from scheduler.domain.model import Health, Quota, UserStatus
from tests.integration.housekeeping.conftest import ends, line
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from datetime import datetime

    from tests.integration.housekeeping.conftest import Keeper
    from tests.support.store import Store


FIRST = 1 << 100
"""The number of the first id: no place in line has it."""


def reserved(store: Store, user_id: str = "u1", device_id: str = "d1", at: datetime = NOW) -> None:
    ((count,),) = store.rows("SELECT COUNT(*) FROM reservations")
    store.run(
        f"INSERT INTO reservations SET id = '{UUID(int=FIRST + count)}', user_id = '{user_id}',"
        f" device_id = '{device_id}', starts_at = '{to_sql(at)}', min_cpu_cores = 0,"
        f" ends_at = '{to_sql(at + 60 * MINUTE)}', min_memory_mb = 0, created_at = '{to_sql(NOW)}'"
    )


def status(store: Store) -> list[str]:
    return [one for (one,) in store.rows("SELECT status FROM reservations ORDER BY id")]


def holders(store: Store) -> list[tuple[str, str]]:
    query = "SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED' ORDER BY 1"
    return store.rows(query)


def told(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT user_id, type FROM notifications ORDER BY id")


def test_at_its_start_the_device_is_allocated_until_its_end(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), device("d0"), device("d1")))
    reserved(store)
    reserved(store, at=NOW + MINUTE)

    assert keeper.run("start-reservations") == 1

    assert holders(store) == [("d1", "u1")]
    assert status(store) == ["STARTED", "RESERVED"]
    assert store.rows("SELECT id, expires_at, allocated_by FROM allocations") == [
        (str(UUID(int=FIRST)), NOW + 60 * MINUTE, "reservation")
    ]
    assert told(store) == [("u1", "allocation_success")]
    assert keeper.nudges == 1


def test_the_end_of_one_is_the_start_of_the_next(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1", by="u2"), user("u1"), user("u3")))
    line(store, "u3")
    ends(store, NOW - SECOND)
    reserved(store)

    keeper.run("expire")
    keeper.run("start-reservations")
    keeper.run("serve-waiting")

    assert holders(store) == [("d1", "u1")]


@pytest.mark.parametrize("lost", [{"health": Health.FAILED}, {"holder": "u2"}])
def test_if_the_promised_device_is_lost_another_one_will_do(
    store: Store, keeper: Keeper, lost: dict[str, Any]
) -> None:
    holder = lost.pop("holder", None)
    promised = held("d1", by=holder) if holder else device("d1", **lost)
    store.seed(world(user("u1"), promised, device("d2")))
    reserved(store)

    keeper.run("start-reservations")

    assert ("d2", "u1") in holders(store)


def test_what_somebody_else_is_promised_soon_will_not(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), device("d1", health=Health.FAILED), device("d2")))
    reserved(store)
    reserved(store, "u2", "d2", at=NOW + 30 * MINUTE)

    assert keeper.run("start-reservations") == 0

    assert holders(store) == []


def test_a_device_is_looked_for_during_some_minutes(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), device("d1", health=Health.FAILED)))
    reserved(store)

    assert keeper.run("start-reservations") == 0
    assert status(store) == ["RESERVED"]
    store.run("UPDATE devices SET health = 'running'")
    assert keeper.after(MINUTE).run("start-reservations") == 1
    assert status(store) == ["STARTED"]


def test_then_the_user_is_told_that_there_is_none(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1", locale="en"), device("d1", health=Health.FAILED)))
    reserved(store)

    keeper.after(GRACE_PERIOD).run("start-reservations")

    assert status(store) == ["FAILED"]
    assert told(store) == [("u1", "reservation_failed")]
    assert store.rows("SELECT channel FROM notification_deliveries ORDER BY 1") == [
        ("websocket",),
        ("email",),
    ]
    ((text,),) = store.rows("SELECT message FROM notifications")
    assert text.startswith("No suitable device was free for your reservation of 2026-03-01 12:00")


@pytest.mark.parametrize(
    ("state", "reason"),
    [({"billing_hold": True}, "suspended or on hold"), ({"quota": Quota(0)}, "quota")],
)
def test_who_may_not_have_it_then_is_told_why(
    store: Store, keeper: Keeper, state: dict[str, Any], reason: str
) -> None:
    store.seed(world(user("u1", locale="en", **state), device("d1")))
    reserved(store)

    keeper.run("start-reservations")

    assert status(store) == ["FAILED"]
    assert holders(store) == []
    assert reason in store.rows("SELECT message FROM notifications")[0][0]


def test_what_was_promised_to_a_deleted_user_is_given_up_before_its_time(
    store: Store, keeper: Keeper
) -> None:
    store.seed(
        world(user("u1", status=UserStatus.DELETED), user("u2", status=UserStatus.SUSPENDED))
    )
    reserved(store, "u1", at=NOW + 60 * MINUTE)
    reserved(store, "u2", at=NOW + 60 * MINUTE)

    keeper.run("start-reservations")

    assert status(store) == ["FAILED", "RESERVED"]
    assert told(store) == []


def test_what_nobody_began_in_its_time_is_not_begun_afterwards(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(user("u1"), device("d1")))
    reserved(store)

    keeper.after(60 * MINUTE).run("start-reservations")

    assert (status(store), holders(store)) == (["FAILED"], [])


@pytest.mark.parametrize("size", [1, 10, 100])
def test_starting_costs_a_constant_number_of_statements(
    size: int, store: Store, keeper: Keeper
) -> None:
    store.seed(
        world(*(user(f"u{n}") for n in range(size)), *(device(f"d{n}") for n in range(size)))
    )
    for number in range(size):
        reserved(store, f"u{number}", f"d{number}")

    with counted(keeper.database) as statements:
        assert keeper.run("start-reservations") == size

    # Three looks for a page; users, what they hold, what is still reserved, the devices. Written
    # are reservations, devices and when they were given, allocations, notifications, deliveries,
    # events.
    assert (statements.selects, statements.writes) == (3 + 4, 7)
