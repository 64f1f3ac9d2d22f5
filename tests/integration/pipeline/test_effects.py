"""What the events change in the database, through the whole pipeline."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest

from scheduler.database import bulk_protocol
from scheduler.domain.guard import Concern
from scheduler.domain.model import Allocation
from tests.support.deciding import run
from tests.support.events import EVENT_TYPES, message
from tests.support.functions import Functions
from tests.support.store import Store
from tests.support.world import MINUTE, NOW, device, held, mark, user, world


@pytest.fixture(params=["bulk", "text"], autouse=True)
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A server that has the bulk protocol, and one that has not, such as MySQL."""
    greeted = []
    is_offered = bulk_protocol.is_offered

    def answer(greeting: bytes) -> bool:
        greeted.append(greeting)
        return request.param == "bulk" and is_offered(greeting)

    monkeypatch.setattr(bulk_protocol, "is_offered", answer)
    yield
    assert greeted, "the functions have connected before the protocol was chosen"


def test_failed_device_is_released_and_its_holder_notified(
    store: Store, functions: Functions
) -> None:
    store.seed(world(held("d1", since=NOW - 90 * MINUTE)))

    assert functions.handle(message("device.failed", id="m-1")) == {"success": 1}

    state = store.state()
    reason = "设备故障：Docker container crashed"
    assert state["devices"] == [("d1", "d1", "available", "failed", 2, 4096, 0)]
    assert state["allocations"] == [
        (
            *("allocation-of-d1", "u1", "d1", "RELEASED", NOW),
            *(5400, "device_failed", reason),
        )
    ]
    assert state["marks"] == [("device", "d1", "health", None, NOW)]
    assert state["processed"] == [("scheduler.device-failed", "m-1")]
    assert [row.message for row in state["notifications"]] == [
        f"设备 d1 已释放。原因：{reason}。使用时长：1 小时 30 分钟。"
    ]
    assert state["deliveries"] == [("device_released:allocation-of-d1", "websocket", "pending")]
    assert state["outgoing"] == [
        (
            "device.released",
            {
                "allocationId": "allocation-of-d1",
                "userId": "u1",
                "deviceId": "d1",
                "reason": "device_failed",
                "durationSeconds": 5400,
                "cpuCores": 2,
                "memoryMB": 4096,
                "storageMB": 0,
                "timestamp": "2026-03-01T12:00:00+00:00",
                "causedBy": "m-1",
            },
        )
    ]


def test_release_stores_the_key_of_its_message(store: Store, functions: Functions) -> None:
    store.seed(world(held("d1", since=NOW - 90 * MINUTE)))

    functions.handle(message("device.failed", id="m-1"))

    query = "SELECT released_by FROM allocations"
    assert store.rows(query) == [("event:scheduler.device-failed:m-1",)]


def test_suspended_user_holds_nothing_and_is_notified_on_all_channels(
    store: Store, functions: Functions
) -> None:
    store.seed(world(user(), held("d1"), held("d2"), held("d3"), held("d4", by="u2")))

    functions.handle(message("user.suspended", id="m-1"))

    state = store.state()
    assert [row.status for row in state["users"]] == ["suspended", "active"]
    assert [row.status for row in state["allocations"]] == ["RELEASED"] * 3 + ["ALLOCATED"]
    assert [row.status for row in state["devices"]] == ["available"] * 3 + ["allocated"]
    key = "account_suspended:scheduler.user-suspended:m-1"
    assert [(row.channel, row.status) for row in state["deliveries"] if row.dedupe_key == key] == [
        ("websocket", "pending"),
        ("email", "pending"),
    ]
    assert len(state["notifications"]) == 4
    assert len(state["outgoing"]) == 3


def test_deleted_user_has_no_address_and_no_deliveries(store: Store, functions: Functions) -> None:
    store.seed(world(user("u1"), user("u2"), held("d1"), held("d2"), held("d3", by="u2")))
    functions.handle(
        message("device.failed", deviceId="d1"), message("device.failed", deviceId="d3")
    )
    store.run(
        "UPDATE notification_deliveries d JOIN notifications n ON n.id = d.notification_id"
        " SET d.status = 'sent' WHERE n.user_id = 'u2'",
        "UPDATE users SET time_zone = 'Asia/Tokyo'",
    )

    functions.handle(message("user.deleted"))

    state = store.state()
    assert [(row.max_memory_mb, row.email, row.phone) for row in state["users"]] == [
        (None, None, None),
        (None, "someone@example.com", "+8613800138000"),
    ]
    assert store.rows("SELECT time_zone FROM users ORDER BY id") == [(None,), ("Asia/Tokyo",)]
    assert [row.status for row in state["allocations"]] == ["RELEASED"] * 3
    assert [row.status for row in state["deliveries"]] == ["skipped", "sent"]
    mine, others = state["notifications"]
    assert (mine.title, mine.message, mine.data) == ("", "", {})
    assert others.title == "设备已释放"


def test_new_quota_releases_the_oldest(store: Store, functions: Functions) -> None:
    since = {f"d{n}": NOW - timedelta(minutes=100 - n) for n in range(1, 9)}
    store.seed(world(*(held(id_, since=at) for id_, at in since.items())))

    functions.handle(message("user.quota_updated", newQuota={"maxDevices": 5, "maxCpu": 20}))

    state = store.state()
    (quota,) = state["users"]
    assert (quota.max_devices, quota.max_cpu, quota.max_memory_mb) == (5, 20, None)
    assert [row.status for row in state["allocations"]] == ["RELEASED"] * 3 + ["ALLOCATED"] * 5
    assert [row.type for row in state["notifications"]].count("quota_adjusted") == 1


def test_three_failed_payments_suspend_the_service(store: Store, functions: Functions) -> None:
    store.seed(world(held("d1"), held("d2")))

    for expected in ("ALLOCATED", "ALLOCATED", "RELEASED"):
        functions.handle(message("billing.payment_failed"))
        assert [row.status for row in store.state()["allocations"]] == [expected] * 2

    state = store.state()
    assert state["users"][0].billing_hold == 1
    assert sorted(row.type for row in state["notifications"]) == [
        *["billing_alert"] * 2,
        *["device_released"] * 2,
        "service_suspended",
    ]


def test_created_device_is_in_the_pool(store: Store, functions: Functions) -> None:
    described = {"name": "手机 📱", "cpuCores": 4, "memoryMB": 8192, "storageMB": 65536}

    functions.handle(message("device.created", **described))  # type: ignore[arg-type]  # any fields

    assert store.state()["devices"] == [("d1", "手机 📱", "available", "running", 4, 8192, 65536)]


def test_duplicate_changes_nothing_and_an_outdated_message_is_recorded(
    store: Store, functions: Functions
) -> None:
    store.seed(world(user(), held("d1"), marks=[mark(Concern.ACCOUNT, NOW)]))
    late = message("user.suspended", at=NOW - MINUTE)

    assert functions.handle(late) == {"outdated": 1}
    before = store.state()
    assert functions.handle(late, late) == {"duplicate": 2}

    assert store.state() == before
    assert [row.status for row in before["allocations"]] == ["ALLOCATED"]
    assert len(before["processed"]) == 1


def test_same_id_in_another_queue_is_another_message(store: Store, functions: Functions) -> None:
    functions.handle(message("device.failed", id="same"), message("device.maintenance", id="same"))

    assert [row.queue for row in store.state()["processed"]] == [
        "scheduler.device-failed",
        "scheduler.device-maintenance",
    ]


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_database_ends_up_as_the_rules_decided(
    event_type: str, store: Store, functions: Functions
) -> None:
    on = world(
        user("u1", locale="en", billing_hold=True),
        *(held(f"d{n}", since=NOW - n * MINUTE) for n in (1, 2, 3)),
        held("d4", by="u2"),
    )
    sent = message(event_type)
    store.seed(on)

    functions.handle(sent)

    decided, state = run(sent, on=on), store.state()
    released = [row for row in state["allocations"] if row.status == "RELEASED"]
    assert {row.device_id: row.release_reason for row in released} == decided.released
    assert sorted(row.message for row in state["notifications"]) == sorted(
        told.message for told in decided.told
    )
    assert len(state["deliveries"]) == sum(len(told.channels) for told in decided.told)
    assert {(row.id, row.status, row.health) for row in state["devices"]} == {
        (one.id, one.status, one.health) for one in decided.work.devices.values()
    }
    users = {(row.id, row.status, row.billing_hold, row.max_devices) for row in state["users"]}
    assert users == {
        (one.id, one.status, one.billing_hold, one.quota.max_devices)
        for one in decided.work.users.values()
    }
    marks = {(row.aggregate, row.id, row.concern) for row in state["marks"]}
    assert marks == set(decided.work.changed_marks)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_unknown_user_or_device_gets_a_row(
    event_type: str, store: Store, functions: Functions
) -> None:
    assert functions.handle(message(event_type)) == {"success": 1}

    state = store.state()
    assert [len(state["users"]), len(state["devices"])] == (
        [0, 1] if event_type.startswith("device") else [1, 0]
    )
    assert all(
        row.max_devices == 10 or event_type == "user.quota_updated" for row in state["users"]
    )


def test_texts_with_special_characters_are_stored_unchanged(
    store: Store, functions: Functions
) -> None:
    nasty = "'; DROP TABLE users; -- %s %(x)s {0} \\ \" 😀 设备"
    store.seed(world(Allocation("a", nasty, nasty, NOW)))

    functions.handle(message("device.failed", deviceId=nasty, reason=nasty))

    state = store.state()
    assert state["allocations"][0].release_reason == f"设备故障：{nasty}"
    assert json.loads(json.dumps(state["notifications"][0].data))["deviceId"] == nasty


def test_status_that_overtakes_the_recreation_of_a_device_brings_it_into_the_pool(
    store: Store, functions: Functions
) -> None:
    store.seed(world(device("d1")))
    functions.handle(message("device.deleted", at=NOW - 3 * MINUTE))
    runs = message(
        "device.status_changed",
        at=NOW - MINUTE,
        oldStatus="creating",
        newStatus="running",
        version=2,
    )

    assert functions.handle(runs) == {"outdated": 1}
    assert store.rows("SELECT health FROM devices") == [("deleted",)]
    created = message("device.created", at=NOW - 2 * MINUTE, status="creating", version=1)
    assert functions.handle(created) == {"success": 1}

    assert store.rows("SELECT health FROM devices") == [("running",)]
    health = [one for one in store.state()["marks"] if one.concern == "health"]
    assert health == [("device", "d1", "health", 2, NOW - MINUTE)]
