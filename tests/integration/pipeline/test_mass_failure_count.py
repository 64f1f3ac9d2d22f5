"""The mass-failure brake compares releases with a count of the running devices, for little."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.database import brake, running_devices
from scheduler.domain.brake import BrakeLimits
from tests.integration.pipeline.failing_fleet import (
    FLEET,
    LIMITS,
    count_running,
    decide,
    failed,
    status,
)
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND, held, world

if TYPE_CHECKING:
    from tests.support.clock import Clock
    from tests.support.store import Store


@pytest.mark.parametrize("size", [1, 10, 100, 1000])
def test_brake_costs_a_select_and_an_upsert_for_any_batch_size(
    size: int, store: Store, database_url: str
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(size))))
    limits = BrakeLimits(share=1, devices=20)
    with Functions(database_url, brake=limits) as braked, counted(braked.database) as spent:
        braked.handle(*map(failed, range(size)))

    assert (spent.selects, spent.writes, spent.commits) == (5, 8, 1)


@pytest.mark.usefixtures("fleet")
def test_batch_that_trips_costs_two_more_statements_and_a_note(
    braked: Functions,
) -> None:
    with counted(braked.database) as tripping:
        braked.handle(*map(failed, range(20)))
    with counted(braked.database) as holding:
        braked.handle(*map(failed, range(20, 40)))
    with counted(braked.database) as holding_again:
        braked.handle(*map(failed, range(20, 40)))

    assert (tripping.selects, tripping.writes, tripping.commits) == (5, 11, 2)
    assert (holding.selects, holding.writes, holding.commits) == (5, 4, 2)
    assert (holding_again.selects, holding_again.writes, holding_again.commits) == (5, 2, 2)


def test_no_device_is_read_to_compare_with_the_limit(fleet: Store) -> None:
    with fleet.database.transaction() as cursor:
        brake.query(cursor, LIMITS, NOW)()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        before = cursor.fetchall()
        brake.query(cursor, LIMITS, NOW)()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        read = sum(int(n) for _, n in cursor.fetchall()) - sum(int(n) for _, n in before)

    assert read < FLEET


def test_devices_that_were_released_before_the_count_were_running(
    fleet: Store, braked: Functions, clock: Clock
) -> None:
    braked.handle(*map(failed, range(5)))
    clock.now += SECOND
    decide(fleet, count_running, clock.now)

    assert braked.handle(*map(failed, range(5, 15))) == {"success": 5, "retried": 5}


@pytest.mark.usefixtures("store")
def test_without_a_count_the_fixed_number_is_the_limit(braked: Functions, store: Store) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(FLEET))))

    totals = braked.handle(*map(failed, range(8)))

    assert totals == {"success": LIMITS.devices, "retried": 8 - LIMITS.devices}


def test_count_of_a_large_fleet_is_stored_when_it_is_complete(fleet: Store) -> None:
    fleet.run("UPDATE devices SET health = 'stopped' WHERE id = 'd7'")
    decide(fleet, brake.arm)
    running = []
    for _ in range(3):
        with fleet.database.transaction() as cursor:
            complete = running_devices.count_running(cursor, 20, NOW + MINUTE)
        running.append((complete, status(fleet).state.running))

    assert running == [(False, FLEET), (False, FLEET), (True, FLEET - 1)]
