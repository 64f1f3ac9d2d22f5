"""Bodies as other services publish them: envelopes, clocks, unknown words."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.domain.model import DeviceStatus, UserStatus
from tests.integration.pipeline.stored import apply, reasons, released, row
from tests.support.events import message
from tests.support.logged import logged
from tests.support.world import HOUR, MILLISECOND, MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.store import Store


# -- envelopes ---------------------------------------------------------------------------


def test_envelope_with_a_version_of_its_own_is_removed(store: Store, connected: Functions) -> None:
    store.seed(world(user("u1", billing_hold=True)))
    body = {
        "eventId": "e-1",
        "eventType": "billing.payment_success",
        "version": "1.0",
        "source": "billing",
        "timestamp": "2026-02-26T12:00:00Z",
        "payload": {"userId": "u1", "amount": 100, "newBalance": 250},
    }

    apply(connected, "billing.payment_success", json.dumps(body).encode(), id=None)

    assert row(store, "users", "u1")["billing_hold"] == 0
    state = store.state()
    assert [one.message_id for one in state["processed"]] == ["e-1"]
    assert [(one.version, one.occurred_at.isoformat()) for one in state["marks"]] == [
        (None, "2026-02-26T12:00:00+00:00")
    ]


def test_message_of_a_nestjs_microservice_is_unwrapped(store: Store, connected: Functions) -> None:
    store.seed(world(held("d1")))
    body = {"pattern": "device.failed", "data": {"deviceId": "d1", "reason": "dark"}}

    apply(connected, "device.failed", json.dumps(body).encode())

    assert reasons(store) == ["设备故障：dark"]


def test_cloud_event_has_its_id_and_time(store: Store, connected: Functions) -> None:
    store.seed(world(user("u1", status=UserStatus.SUSPENDED)))
    body = {
        "specversion": "1.0",
        "id": "ce-1",
        "type": "user.activated",
        "source": "/users",
        "time": "2026-02-26T12:00:00Z",
        "data": {"userId": "u1"},
    }

    apply(connected, "user.activated", json.dumps(body).encode(), id=None)

    assert row(store, "users", "u1")["status"] == "active"
    state = store.state()
    assert [one.message_id for one in state["processed"]] == ["/users|ce-1"]
    assert [one.occurred_at.isoformat() for one in state["marks"]] == ["2026-02-26T12:00:00+00:00"]


# -- clocks ------------------------------------------------------------------------------


def test_activation_eight_hours_ahead_lets_a_later_suspension_apply(
    store: Store, connected: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    store.seed(world(held("d1")))
    with logged() as lines:
        connected.handle(message("user.activated", at=NOW + 8 * HOUR))
        (line,) = [one for one in lines() if one.get("event_type") == "user.activated"]

    apply(connected, "user.suspended", b'{"userId": "u1", "reason": "fraud"}')

    assert row(store, "users", "u1")["status"] == "suspended"
    assert (line["level"], line["clock_ahead"]) == ("WARNING", True)
    assert "too far ahead" in line["message"]
    metrics = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    (ahead,) = [one for one in metrics if "scheduler_clock_ahead_total" in one]
    assert (ahead["event_type"], ahead["scheduler_clock_ahead_total"]) == ("user.activated", 1)


def test_lag_of_receipt_behind_the_times_of_events_is_measured(
    store: Store, connected: Functions, capsys: pytest.CaptureFixture[str]
) -> None:
    store.seed(world(user("u1")))

    connected.handle(
        message("user.activated", at=NOW - 8 * HOUR),
        message("user.activated", at=NOW - MINUTE),
        message("user.activated"),
    )

    metrics = [json.loads(one) for one in capsys.readouterr().out.splitlines()]
    (lag,) = [one for one in metrics if "scheduler_event_lag_seconds" in one]
    assert lag["event_type"] == "user.activated"
    assert sorted(lag["scheduler_event_lag_seconds"]) == [60, 8 * 3600]


# -- words and shapes --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("old", "new", "health", "taken"),
    [
        ("running", "idle", "unknown", []),
        ("RUNNING", "STOPPED", "stopped", ["d1"]),
        ("Running", " Error ", "error", ["d1"]),
        ("creating", "stopped", "stopped", []),
        ("running", "maintenance", "maintenance", []),
        ("running", "DELETED", "unknown", []),
        ("stopped", "Running", "running", []),
        ("", "", "unknown", []),
    ],
)
def test_statuses_are_free_words_without_case(
    old: str, new: str, health: str, taken: list[str], store: Store, connected: Functions
) -> None:
    store.seed(world(held("d1")))
    body = {"deviceId": "d1", "oldStatus": old, "newStatus": new}

    apply(connected, "device.status_changed", json.dumps(body).encode())

    assert row(store, "devices", "d1")["health"] == health
    assert released(store) == taken


def test_device_of_the_original_service_waits_outside_the_pool_until_it_runs(
    store: Store, connected: Functions
) -> None:
    id_ = "3f6c1c1e-0000-4000-8000-000000000001"
    body = {
        "deviceId": id_,
        "userId": "user-123",
        "deviceName": "Test phone",
        "status": "creating",
        "tenantId": "t-1",
        "providerType": "redroid",
        "sagaId": "s-1",
        "deviceConfig": {"cpuCores": 4, "memoryMB": 4096, "storageGB": 8},
        "timestamp": "2026-02-26T12:00:00.000Z",
        "_trace": {},
    }

    apply(connected, "device.created", json.dumps(body).encode())

    expected = {
        "name": "Test phone",
        "cpu_cores": 4,
        "memory_mb": 4096,
        "storage_mb": 8192,
        "health": "unknown",
        "status": DeviceStatus.AVAILABLE,
    }
    assert row(store, "devices", id_).items() >= expected.items()
    running = {"deviceId": id_, "oldStatus": "creating", "newStatus": "running"}
    apply(connected, "device.status_changed", json.dumps(running).encode())
    assert row(store, "devices", id_)["health"] == "running"


@pytest.mark.parametrize("later", [{}, {"name": "renamed"}, {"adbHost": "", "adbPort": 0}])
def test_adb_address_is_stored_and_kept(
    later: dict[str, Any], store: Store, connected: Functions
) -> None:
    first = message("device.created", adbHost="10.0.3.17", adbPort=5555)

    connected.handle(first, message("device.created", **later))
    connected.handle(message("device.created", **later))

    found = row(store, "devices", "d1")
    assert (found["adb_host"], found["adb_port"]) == ("10.0.3.17", 5555)


def test_device_that_is_created_again_has_no_longer_its_former_address(
    store: Store, connected: Functions
) -> None:
    """Another device may have got it, whose user must not be disturbed."""
    connected.handle(
        message("device.created", cpuCores=4, adbHost="10.0.3.17", adbPort=5555),
        message("device.deleted"),
        message("device.created"),
    )

    found = row(store, "devices", "d1")
    assert (found["health"], found["cpu_cores"]) == ("running", 4)
    assert (found["adb_host"], found["adb_port"]) == (None, None)


def test_hold_stays_while_the_balance_is_negative(store: Store, connected: Functions) -> None:
    store.seed(world(held("d1")))
    connected.handle(message("billing.overdue"))

    apply(
        connected, "billing.payment_success", b'{"userId": "u1", "amount": 1, "newBalance": -149.5}'
    )
    assert row(store, "users", "u1")["billing_hold"] == 1

    apply(connected, "billing.recharged", b'{"userId": "u1", "amount": 149.5, "newBalance": 0}')
    assert row(store, "users", "u1")["billing_hold"] == 0


def test_any_payment_ends_the_hold_of_failed_payments(store: Store, connected: Functions) -> None:
    store.seed(world(held("d1")))
    for _ in range(3):
        connected.handle(message("billing.payment_failed"))
    assert row(store, "users", "u1")["billing_hold"] == 1

    apply(connected, "billing.recharged", b'{"userId": "u1", "amount": 1, "newBalance": -149.5}')

    assert row(store, "users", "u1")["billing_hold"] == 0


# -- quota by cpu and memory, versions after a deletion ------------------------------------


@pytest.mark.parametrize(("quota_type", "limit"), [("cpu", 2), ("memory", 4096)])
def test_quota_skips_devices_of_unknown_size(
    quota_type: str, limit: int, store: Store, connected: Functions
) -> None:
    start = world(*(held(f"d{n}", since=NOW - (9 - n) * MINUTE) for n in range(4)))
    for unsized in ("d0", "d2"):
        start.devices[unsized] = start.devices[unsized]._replace(cpu_cores=0, memory_mb=0)
    store.seed(start)

    connected.handle(message("user.quota_exceeded", quotaType=quota_type, current=9, limit=limit))

    assert released(store) == ["d1"]


def test_quota_that_its_excess_overtakes_is_stored(store: Store, connected: Functions) -> None:
    store.seed(world(*(held(f"d{n}", since=NOW - (9 - n) * MINUTE) for n in range(4))))
    exceeded = message("user.quota_exceeded", at=NOW - MILLISECOND, current=4, limit=2)
    updated = message(
        "user.quota_updated", at=NOW - 2 * MILLISECOND, newQuota={"maxDevices": 2, "maxCpu": 8}
    )

    connected.handle(exceeded)
    connected.handle(updated)

    found = row(store, "users", "u1")
    assert (found["max_devices"], found["max_cpu"]) == (2, 8)
    assert released(store) == ["d0", "d1"]


def test_versions_restart_when_a_deleted_device_is_created_again(
    store: Store, connected: Functions
) -> None:
    sent = [
        message("device.created", at=NOW - 9 * MINUTE, version=1),
        message("device.failed", at=NOW - 8 * MINUTE, version=40),
        message("device.deleted", at=NOW - 7 * MINUTE, version=41),
        message("device.created", at=NOW - 6 * MINUTE, version=1),
        message("device.maintenance", at=NOW - 5 * MINUTE, version=2),
    ]

    assert connected.handle(*sent) == {"success": 5}

    assert row(store, "devices", "d1")["health"] == "maintenance"
    late = message("device.failed", at=NOW - 7 * MINUTE - MILLISECOND, version=39)
    assert connected.handle(late) == {"outdated": 1}
