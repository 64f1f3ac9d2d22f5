"""Allocations of blocked or unknown users are found, and released or reported."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database.connection import connect
from scheduler.domain.model import Allocation, UserStatus
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import (
    Housekeeping,
    Reports,
    before_transaction,
    set_expiry,
)
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


@pytest.mark.parametrize(
    ("fields", "notices"),
    [
        ({"status": UserStatus.SUSPENDED}, 1),
        ({"billing_hold": True}, 1),
        ({"status": UserStatus.DELETED}, 0),
    ],
)
def test_the_devices_of_a_blocked_user_are_released(
    fields: dict[str, Any], notices: int, store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(user("u1", **fields), held("d1"), held("d2", by="u2")))

    assert housekeeping.run("reconcile-users") == 1

    assert store.rows("SELECT id, status, release_code FROM allocations ORDER BY id") == [
        ("allocation-of-d1", "RELEASED", "account_blocked"),
        ("allocation-of-d2", "ALLOCATED", None),
    ]
    assert store.rows("SELECT status FROM devices WHERE id = 'd1'") == [("available",)]
    assert len(store.state()["notifications"]) == notices
    assert [key for key, _ in store.state()["outgoing"]] == ["device.released"]
    assert housekeeping.nudges == 1
    assert reports.findings() == {"blocked_user_holds_device": 1, "allocation_of_unknown": 0}
    assert reports.ids == {"blocked_user_holds_device": ["allocation-of-d1"]}
    (line,) = reports.lines
    assert (line["user_ids"], line["device_ids"]) == (["u1"], ["d1"])
    assert housekeeping.run("reconcile-users") == 0


def test_findings_are_counted_even_if_there_are_none(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(held("d1"), user("u2", status=UserStatus.SUSPENDED), device("d2")))
    before = store.state()

    for job in ("users", "devices", "deliveries", "notifications"):
        assert housekeeping.run(f"reconcile-{job}") == 0

    assert store.state() == before
    assert housekeeping.nudges == 0
    assert set(reports.findings().values()) == {0}
    assert reports.ids == {}


def test_a_user_who_is_activated_before_the_lock_keeps_the_devices(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(user("u1", billing_hold=True), held("d1")))
    before_transaction(housekeeping, 2, lambda: store.run("UPDATE users SET billing_hold = FALSE"))

    assert housekeeping.run("reconcile-users") == 0
    assert reports.ids == {}


def test_an_uncommitted_suspension_is_not_a_finding(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(held("d1")))

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET status = 'suspended'")
        assert housekeeping.run("reconcile-users") == 0

    assert reports.ids == {}


def test_an_allocation_of_an_unknown_user_and_device_is_only_reported(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(Snapshot(allocations={"a1": Allocation("a1", "ghost", "d9", NOW)}))

    housekeeping.run("reconcile-users")

    assert reports.ids == {"allocation_of_unknown": ["a1"]}
    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]


def test_an_allocation_of_an_unknown_user_does_not_delay_the_expiry_of_others(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    store.seed(Snapshot(allocations={"a1": Allocation("a1", "ghost", "d9", NOW)}))
    set_expiry(store, NOW - SECOND, "d1")
    set_expiry(store, NOW - MINUTE, "d9")

    assert housekeeping.run("expire") == 1
