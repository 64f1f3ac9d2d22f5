"""What must never be is found, reported by name, and put right under the locks."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database import brake
from scheduler.database.connection import connect
from scheduler.database.times import to_sql
from scheduler.domain.model import Allocation, DeviceStatus, Health, UserStatus
from scheduler.domain.state import Snapshot
from tests.integration.housekeeping.conftest import Keeper, bare, before_transaction, deliver, ends
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


class Told:
    """What operators are told: metrics on stdout, errors in the log."""

    def __init__(self, output: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> None:
        self._output = output
        self._log = log

    def findings(self) -> dict[str, float]:
        """Return the findings counted since the last call, by kind."""
        lines = [json.loads(line) for line in self._output.readouterr().out.splitlines()]
        found = [line for line in lines if "kind" in line]
        return {line["kind"]: line["scheduler_reconciler_findings_total"] for line in found}

    @property
    def named(self) -> dict[str, list[object]]:
        """Return the ids of the findings by kind, as the log names them."""
        errors = [record.__dict__ for record in self._log.records if record.levelname == "ERROR"]
        return {error["kind"]: error["ids"] for error in errors}


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Told:
    return Told(capsys, caplog)


# -- blocked users -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("fields", "notices"),
    [
        ({"status": UserStatus.SUSPENDED}, 1),
        ({"billing_hold": True}, 1),
        ({"status": UserStatus.DELETED}, 0),
    ],
)
def test_a_blocked_user_loses_his_devices(
    fields: dict[str, Any], notices: int, store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(user("u1", **fields), held("d1"), held("d2", by="u2")))

    assert keeper.run("reconcile-users") == 1

    assert store.rows("SELECT id, status, release_code FROM allocations ORDER BY id") == [
        ("allocation-of-d1", "RELEASED", "account_blocked"),
        ("allocation-of-d2", "ALLOCATED", None),
    ]
    assert store.rows("SELECT status FROM devices WHERE id = 'd1'") == [("available",)]
    assert len(store.state()["notifications"]) == notices
    assert [key for key, _ in store.state()["outgoing"]] == ["device.released"]
    assert keeper.nudges == 1
    assert told.findings() == {"blocked_user_holds_device": 1, "allocation_of_unknown": 0}
    assert told.named == {"blocked_user_holds_device": ["allocation-of-d1"]}
    assert keeper.run("reconcile-users") == 0


def test_nothing_found_is_counted_as_nothing(store: Store, keeper: Keeper, told: Told) -> None:
    store.seed(world(held("d1"), user("u2", status=UserStatus.SUSPENDED), device("d2")))
    before = store.state()

    for job in ("users", "devices", "deliveries", "notifications"):
        assert keeper.run(f"reconcile-{job}") == 0

    assert store.state() == before
    assert keeper.nudges == 0
    assert set(told.findings().values()) == {0}
    assert told.named == {}


def test_a_user_who_is_activated_before_the_lock_keeps_his_devices(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(user("u1", billing_hold=True), held("d1")))
    before_transaction(keeper, 2, lambda: store.run("UPDATE users SET billing_hold = FALSE"))

    assert keeper.run("reconcile-users") == 0
    assert told.named == {}


def test_a_suspension_that_is_still_running_is_no_finding(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(held("d1")))

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET status = 'suspended'")
        assert keeper.run("reconcile-users") == 0

    assert told.named == {}


def test_an_allocation_of_nobody_or_nothing_is_left_to_a_person(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(Snapshot(allocations={"a1": Allocation("a1", "ghost", "d9", NOW)}))

    keeper.run("reconcile-users")

    assert told.named == {"allocation_of_unknown": ["a1"]}
    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]


def test_an_allocation_of_nobody_delays_no_other_expiry(store: Store, keeper: Keeper) -> None:
    store.seed(world(held("d1")))
    store.seed(Snapshot(allocations={"a1": Allocation("a1", "ghost", "d9", NOW)}))
    ends(store, NOW - SECOND, "d1")
    ends(store, NOW - MINUTE, "d9")

    assert keeper.run("expire") == 1


# -- devices -----------------------------------------------------------------------


def test_the_status_of_devices_follows_their_allocations(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(held("d1"), held("d2"), device("d3"), device("d4")))
    store.run("UPDATE devices SET status = IF(id = 'd1', 'available', 'allocated')")
    allocations = store.state()["allocations"]

    assert keeper.run("reconcile-devices") == 3

    assert store.rows("SELECT id, status FROM devices ORDER BY id") == [
        ("d1", "allocated"),
        ("d2", "allocated"),
        ("d3", "available"),
        ("d4", "available"),
    ]
    assert store.state()["allocations"] == allocations
    assert store.state()["notifications"] == store.state()["outgoing"] == []
    assert told.findings() == {"device_allocated_to_nobody": 2, "held_device_available": 1}
    assert told.named == {
        "device_allocated_to_nobody": ["d3", "d4"],
        "held_device_available": ["d1"],
    }


def test_a_device_that_gets_a_holder_before_the_lock_is_not_corrected(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(user("u1"), device("d1", status=DeviceStatus.ALLOCATED)))
    grant = Snapshot(allocations={"a1": Allocation("a1", "u1", "d1", NOW)})
    before_transaction(keeper, 2, lambda: store.seed(grant))

    assert keeper.run("reconcile-devices") == 0

    assert store.rows("SELECT status FROM devices") == [("allocated",)]
    assert told.named == {}


# -- deliveries --------------------------------------------------------------------


def test_a_delivery_that_was_due_ten_minutes_ago_is_reported_and_the_dispatcher_nudged(
    store: Store, keeper: Keeper, told: Told
) -> None:
    deliver(store, "late", NOW - 10 * MINUTE)
    deliver(store, "in time", NOW - 10 * MINUTE + SECOND)
    deliver(store, "sent", NOW - 60 * MINUTE, status="sent")
    deliver(store, "retried", NOW - 60 * MINUTE, due=NOW + MINUTE, attempts=3)
    ((id_,),) = store.rows("SELECT id FROM notification_deliveries WHERE notification_id = 'late'")

    assert (keeper.run("reconcile-deliveries"), keeper.nudges) == (1, 1)

    assert told.findings() == {"delivery_overdue": 1}
    assert told.named == {"delivery_overdue": [id_]}
    assert store.rows("SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'") == [
        (3,)
    ]


# -- notifications -----------------------------------------------------------------


def channels(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT notification_id, channel FROM notification_deliveries ORDER BY id")


def test_a_notification_without_deliveries_gets_those_of_its_kind(
    store: Store, keeper: Keeper, told: Told
) -> None:
    store.seed(world(user("u1")))
    bare(store, "n1", "billing_alert.overdue", urgent=1)
    bare(store, "n2", "device_released")
    deliver(store, "n3", NOW - MINUTE)

    assert (keeper.run("reconcile-notifications"), keeper.nudges) == (2, 1)

    assert channels(store)[1:] == [
        ("n1", "websocket"),
        ("n1", "email"),
        ("n1", "sms"),
        ("n2", "websocket"),
    ]
    assert told.named == {"notification_without_deliveries": ["n1", "n2"]}
    assert keeper.run("reconcile-notifications") == 0


@pytest.mark.parametrize(
    ("choices", "urgent", "found"),
    [
        ('{"billing_alert": {"websocket": false}}', 0, 0),
        ('{"billing_alert": {"websocket": false}}', 1, 1),
        ("{}", 0, 1),
    ],
)
def test_what_a_user_may_have_switched_off_is_no_finding_unless_it_is_urgent(
    choices: str, urgent: int, found: int, store: Store, keeper: Keeper
) -> None:
    store.seed(world(user("u1")))
    store.run(f"INSERT INTO notification_preferences SET user_id = 'u1', channels = '{choices}'")
    bare(store, urgent=urgent)

    assert keeper.run("reconcile-notifications") == found


def test_nothing_is_made_for_deleted_users_or_of_long_ago(store: Store, keeper: Keeper) -> None:
    store.seed(world(user("u1"), user("gone", status=UserStatus.DELETED)))
    bare(store, "n1", user_id="gone")
    bare(store, "n2", created_at=to_sql(NOW - 61 * MINUTE))

    assert keeper.run("reconcile-notifications") == 0


def test_a_notification_whose_user_is_being_deleted_is_left_alone(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(user("u1")))
    bare(store)

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET status = 'deleted'")
        assert keeper.run("reconcile-notifications") == 0
        connection.commit()
    assert keeper.run("reconcile-notifications") == 0


def test_two_reconcilers_make_each_delivery_once(
    store: Store, keeper: Keeper, database_url: str
) -> None:
    store.seed(world(user("u1")))
    bare(store, kind="device_released")
    other = Keeper(database_url)
    before_transaction(keeper, 2, lambda: other.run("reconcile-notifications"))

    assert keeper.run("reconcile-notifications") == 0
    assert channels(store) == [("n1", "websocket")]
    other.database.close()


@pytest.mark.parametrize("health", ["failed", "stopped", "error", "maintenance", "deleted"])
def test_a_broken_device_is_taken_from_its_holder(
    health: str, store: Store, keeper: Keeper
) -> None:
    store.seed(world(device("d1", health=Health(health)), held("d1"), held("d2")))

    assert keeper.run("reconcile-broken-devices") == 1

    query = "SELECT device_id, status, release_code FROM allocations ORDER BY device_id"
    assert store.rows(query) == [
        ("d1", "RELEASED", "device_broken"),
        ("d2", "ALLOCATED", None),
    ]
    assert keeper.run("reconcile-broken-devices") == 0


def test_a_device_in_a_state_without_a_name_stays_with_its_holder(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(device("d1", health=Health.UNKNOWN), held("d1")))

    assert keeper.run("reconcile-broken-devices") == 0


def test_an_engaged_brake_holds_what_the_reconciler_would_take_back(
    store: Store, keeper: Keeper
) -> None:
    store.seed(world(device("d1", health=Health.FAILED), held("d1")))
    with store.database.transaction() as cursor:
        brake.engage(cursor, NOW)

    assert keeper.run("reconcile-broken-devices") == 0

    with store.database.transaction() as cursor:
        brake.release(cursor, NOW + MINUTE)
    assert keeper.run("reconcile-broken-devices") == 1


def test_too_many_broken_devices_at_once_engage_the_brake(store: Store) -> None:
    url = store.settings.database_url.get_secret_value()
    keeper = Keeper(url, MASS_FAILURE_DEVICES="3", MASS_FAILURE_SHARE="0.01")
    broken = [device(f"d{n}", health=Health.FAILED) for n in range(5)]
    store.seed(world(*broken, *(held(f"d{n}") for n in range(5))))

    assert keeper.run("reconcile-broken-devices") == 3

    assert store.rows("SELECT engaged_by FROM mass_failure_brake") == [("limit",)]
    keeper.database.close()
