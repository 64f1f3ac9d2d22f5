"""Contradictory rows are found, reported with their ids, and corrected under locks."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database import brake, load
from scheduler.database.connection import connect
from scheduler.database.times import to_sql
from scheduler.domain.model import Allocation, DeviceStatus, Health, UserStatus
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import (
    Housekeeping,
    add_bare_notification,
    add_notification,
    before_transaction,
    set_expiry,
)
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Collection

    from pymysql.cursors import Cursor

    from tests.support.store import Store


class Reports:
    """The reports to operators: metrics on stdout, errors in the log."""

    def __init__(self, output: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> None:
        self._output = output
        self._log = log

    def findings(self) -> dict[str, float]:
        """Return the counts of findings since the last call, by kind."""
        lines = [json.loads(line) for line in self._output.readouterr().out.splitlines()]
        found = [line for line in lines if "kind" in line]
        return {line["kind"]: line["scheduler_reconciler_findings_total"] for line in found}

    @property
    def ids(self) -> dict[str, list[object]]:
        """Return the logged ids of findings by kind."""
        errors = [record.__dict__ for record in self._log.records if record.levelname == "ERROR"]
        return {error["kind"]: error["ids"] for error in errors}


@pytest.fixture
def reports(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Reports:
    return Reports(capsys, caplog)


# -- blocked users -----------------------------------------------------------------


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


# -- devices -----------------------------------------------------------------------


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


# -- deliveries --------------------------------------------------------------------


def test_a_delivery_due_for_ten_minutes_is_reported_and_the_dispatcher_nudged(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    add_notification(store, "late", NOW - 10 * MINUTE)
    add_notification(store, "in time", NOW - 10 * MINUTE + SECOND)
    add_notification(store, "sent", NOW - 60 * MINUTE, status="sent")
    add_notification(store, "retried", NOW - 60 * MINUTE, due=NOW + MINUTE, attempts=3)
    ((id_,),) = store.rows("SELECT id FROM notification_deliveries WHERE notification_id = 'late'")

    assert (housekeeping.run("reconcile-deliveries"), housekeeping.nudges) == (1, 1)

    assert reports.findings() == {"delivery_overdue": 1}
    assert reports.ids == {"delivery_overdue": [id_]}
    assert store.rows("SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'") == [
        (3,)
    ]


# -- notifications -----------------------------------------------------------------


def channels(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT notification_id, channel FROM notification_deliveries ORDER BY id")


def test_missing_deliveries_are_created_for_the_channels_of_the_kind(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store, "n1", "billing_alert.overdue", urgent=1)
    add_bare_notification(store, "n2", "device_released")
    add_notification(store, "n3", NOW - MINUTE)

    assert (housekeeping.run("reconcile-notifications"), housekeeping.nudges) == (2, 1)

    assert channels(store)[1:] == [
        ("n1", "websocket"),
        ("n1", "email"),
        ("n1", "sms"),
        ("n2", "websocket"),
    ]
    assert reports.ids == {"notification_without_deliveries": ["n1", "n2"]}
    assert housekeeping.run("reconcile-notifications") == 0


@pytest.mark.parametrize(
    ("choices", "urgent", "found"),
    [
        ('{"billing_alert": {"websocket": false}}', 0, 0),
        ('{"billing_alert": {"websocket": false}}', 1, 1),
        ("{}", 0, 1),
    ],
)
def test_missing_deliveries_are_not_a_finding_if_the_user_may_have_switched_them_off(
    choices: str, urgent: int, found: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1")))
    store.run(f"INSERT INTO notification_preferences SET user_id = 'u1', channels = '{choices}'")
    add_bare_notification(store, urgent=urgent)

    assert housekeeping.run("reconcile-notifications") == found


def test_no_deliveries_are_created_for_deleted_users_and_old_notifications(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), user("gone", status=UserStatus.DELETED)))
    add_bare_notification(store, "n1", user_id="gone")
    add_bare_notification(store, "n2", created_at=to_sql(NOW - 61 * MINUTE))

    assert housekeeping.run("reconcile-notifications") == 0


def test_no_deliveries_are_created_while_the_user_is_being_deleted(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store)

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET status = 'deleted'")
        assert housekeeping.run("reconcile-notifications") == 0
        connection.commit()
    assert housekeeping.run("reconcile-notifications") == 0


def test_two_runs_create_each_delivery_once(
    store: Store, housekeeping: Housekeeping, database_url: str
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store, kind="device_released")
    other = Housekeeping(database_url)
    before_transaction(housekeeping, 2, lambda: other.run("reconcile-notifications"))

    assert housekeeping.run("reconcile-notifications") == 0
    assert channels(store) == [("n1", "websocket")]
    other.database.close()


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
    lock = load.lock_devices_skip_locked

    def recover_first(cursor: Cursor, devices: Collection[str]) -> set[str]:
        store.run("UPDATE devices SET health = 'running'")
        return lock(cursor, devices)

    monkeypatch.setattr(load, "lock_devices_skip_locked", recover_first)

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
