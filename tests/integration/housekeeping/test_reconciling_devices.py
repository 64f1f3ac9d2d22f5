"""Devices whose status or health contradicts their allocations are found and corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.database import brake, locked_rows
from scheduler.domain.model import Allocation, DeviceStatus, Health
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import (
    Housekeeping,
    Reports,
    before_transaction,
)
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

    from tests.support.store import Store


def test_the_status_of_devices_is_corrected_to_match_their_allocations(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(held("d1"), held("d2"), device("d3"), device("d4")))
    store.run("UPDATE devices SET status = IF(id = 'd1', 'available', 'allocated')")
    allocations = store.state()["allocations"]

    assert housekeeping.run("reconcile-devices") == 3

    assert store.rows("SELECT id, status FROM devices ORDER BY id") == [
        ("d1", "allocated"),
        ("d2", "allocated"),
        ("d3", "available"),
        ("d4", "available"),
    ]
    assert store.state()["allocations"] == allocations
    assert store.state()["notifications"] == store.state()["outgoing"] == []
    assert reports.findings() == {"device_allocated_to_nobody": 2, "held_device_available": 1}
    assert reports.ids == {
        "device_allocated_to_nobody": ["d3", "d4"],
        "held_device_available": ["d1"],
    }


def test_a_device_that_is_allocated_before_the_lock_is_not_corrected(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(user("u1"), device("d1", status=DeviceStatus.ALLOCATED)))
    grant = Snapshot(allocations={"a1": Allocation("a1", "u1", "d1", NOW)})
    before_transaction(housekeeping, 2, lambda: store.seed(grant))

    assert housekeeping.run("reconcile-devices") == 0

    assert store.rows("SELECT status FROM devices") == [("allocated",)]
    assert reports.ids == {}


@pytest.mark.parametrize("health", ["failed", "stopped", "error", "maintenance", "deleted"])
def test_a_broken_device_is_released(health: str, store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(device("d1", health=Health(health)), held("d1"), held("d2")))

    assert housekeeping.run("reconcile-broken-devices") == 1

    query = "SELECT device_id, status, release_code FROM allocations ORDER BY device_id"
    assert store.rows(query) == [
        ("d1", "RELEASED", "device_broken"),
        ("d2", "ALLOCATED", None),
    ]
    assert housekeeping.run("reconcile-broken-devices") == 0


def test_a_device_in_an_unknown_state_is_not_released(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(device("d1", health=Health.UNKNOWN), held("d1")))

    assert housekeeping.run("reconcile-broken-devices") == 0


def test_a_device_that_recovers_before_the_lock_is_not_released(
    store: Store, housekeeping: Housekeeping, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.seed(world(device("d1", health=Health.FAILED), held("d1")))
    lock = locked_rows.locked_by_others

    def recover_first(cursor: Cursor, table: str, ids: Collection[str]) -> set[str]:
        store.run("UPDATE devices SET health = 'running'")
        return lock(cursor, table, ids)

    monkeypatch.setattr(locked_rows, "locked_by_others", recover_first)

    assert housekeeping.run("reconcile-broken-devices") == 0
    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]


def test_an_engaged_brake_holds_the_releases_of_the_reconciler(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(device("d1", health=Health.FAILED), held("d1")))
    with store.database.transaction() as cursor:
        brake.engage(cursor, NOW)

    assert housekeeping.run("reconcile-broken-devices") == 0

    with store.database.transaction() as cursor:
        brake.release(cursor, NOW + MINUTE)
    assert housekeeping.run("reconcile-broken-devices") == 1


def test_too_many_broken_devices_engage_the_brake(store: Store) -> None:
    url = store.settings.database_url.get_secret_value()
    housekeeping = Housekeeping(url, MASS_FAILURE_DEVICES="3", MASS_FAILURE_SHARE="0.01")
    broken = [device(f"d{n}", health=Health.FAILED) for n in range(5)]
    store.seed(world(*broken, *(held(f"d{n}") for n in range(5))))

    assert housekeeping.run("reconcile-broken-devices") == 3

    assert store.rows("SELECT engaged_by FROM mass_failure_brake") == [("limit",)]
    housekeeping.database.close()
