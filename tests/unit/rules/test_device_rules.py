"""The rules of the device events."""

from datetime import timedelta
from typing import Any

import pytest

from scheduler.domain.guard import Concern
from scheduler.domain.model import Device, DeviceStatus, Health
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import Told, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, SECOND, device, held, mark, user, world

RELEASING: dict[str, tuple[dict[str, Any], str]] = {
    "device.failed": ({"reason": "Docker container crashed"}, "设备故障：Docker container crashed"),
    "device.deleted": ({}, "设备已删除"),
    "device.status_changed": (
        {"oldStatus": "running", "newStatus": "error"},
        "设备状态变更：运行中 → 出错",
    ),
    "device.maintenance": ({"maintenanceType": "系统升级"}, "设备维护：系统升级"),
}
HEALTH_AFTER = {
    "device.failed": Health.FAILED,
    "device.deleted": Health.DELETED,
    "device.status_changed": Health.STOPPED,
    "device.maintenance": Health.MAINTENANCE,
    "device.created": Health.RUNNING,
}
REVERSIBLE = [name for name in RELEASING if name != "device.deleted"]


@pytest.mark.parametrize("event_type", RELEASING)
def test_device_is_released_with_the_reason_of_the_event(event_type: str) -> None:
    fields, reason = RELEASING[event_type]

    decided = run(message(event_type, **fields), on=world(held("d1")))

    assert decided.verdicts == [Verdict.DONE]
    assert decided.released == {"d1": reason}
    assert decided.work.device("d1").status is DeviceStatus.AVAILABLE


@pytest.mark.parametrize("event_type", RELEASING)
def test_holder_is_notified_once_by_websocket_with_reason_and_duration(event_type: str) -> None:
    fields, reason = RELEASING[event_type]

    decided = run(message(event_type, **fields), on=world(held("d1")))

    text = f"设备 d1 已释放。原因：{reason}。使用时长：10 分钟。"
    assert decided.told == [Told("u1", "device_released", ("websocket",), text)]


def test_holder_is_notified_in_their_language_and_the_stored_reason_stays_chinese() -> None:
    decided = run(message("device.failed"), on=world(user(locale="en"), held("d1")))

    assert decided.released == {"d1": "设备故障：Docker container crashed"}
    assert decided.told[0].message == (
        "Device d1 was released. Reason: Device failure: Docker container crashed."
        " Time used: 10 minutes."
    )


@pytest.mark.parametrize("event_type", HEALTH_AFTER)
def test_health_changes_even_if_nobody_holds_the_device(event_type: str) -> None:
    decided = run(message(event_type), on=world(device("d1", health=Health.ERROR)))

    assert decided.work.device("d1").health is HEALTH_AFTER[event_type]
    assert decided.work.changed_devices == {"d1": None}
    assert decided.released == {}
    assert decided.told == []


@pytest.mark.parametrize("event_type", HEALTH_AFTER)
def test_unknown_device_gets_a_row(event_type: str) -> None:
    decided = run(message(event_type))

    assert decided.work.devices == {
        "d1": Device("d1", name="d1", health=HEALTH_AFTER[event_type], known=False)
    }


def test_only_the_named_device_is_changed() -> None:
    decided = run(message("device.failed"), on=world(held("d1"), held("d2")))

    assert list(decided.released) == ["d1"]
    assert list(decided.work.changed_devices) == ["d1"]
    assert decided.work.active_allocations(user="u1") == [held("d2")]


@pytest.mark.parametrize(
    ("minutes", "reason"),
    [
        (None, "设备维护：更换电池"),
        (30, "设备维护：更换电池，预计需要 30 分钟"),
        (0, "设备维护：更换电池"),
    ],
)
def test_maintenance_reason_has_the_estimate_if_it_is_known(
    minutes: int | None, reason: str
) -> None:
    sent = message("device.maintenance", maintenanceType="更换电池", estimatedDuration=minutes)

    assert run(sent, on=world(held("d1"))).released == {"d1": reason}


@pytest.mark.parametrize(
    ("old", "new", "releases"),
    [
        ("running", "stopped", True),
        ("running", "error", True),
        ("running", "running", False),
        ("running", "failed", False),
        ("running", "maintenance", False),
        ("stopped", "running", False),
        ("stopped", "error", False),
        ("error", "stopped", False),
        ("something-new", "stopped", False),
    ],
)
def test_status_change_releases_only_from_running_to_stopped_or_error(
    old: str, new: str, *, releases: bool
) -> None:
    sent = message("device.status_changed", oldStatus=old, newStatus=new)

    decided = run(sent, on=world(held("d1")))

    assert bool(decided.released) is releases
    assert decided.work.device("d1").health is Health(new)


@pytest.mark.parametrize("event_type", REVERSIBLE)
@pytest.mark.parametrize("allocated_after", [-MINUTE, timedelta(0), 5 * SECOND, 8 * 60 * MINUTE])
def test_unusable_device_is_released_whenever_it_was_allocated(
    event_type: str, allocated_after: timedelta
) -> None:
    at = NOW - 8 * 60 * MINUTE
    decided = run(message(event_type, at=at), on=world(held("d1", since=at + allocated_after)))

    assert list(decided.released) == ["d1"]
    assert decided.work.device("d1").health is HEALTH_AFTER[event_type]


def test_failure_older_than_the_last_report_releases_nothing() -> None:
    newer = mark(Concern.HEALTH, NOW - MINUTE)
    decided = run(
        message("device.failed", at=NOW - 2 * MINUTE), on=world(held("d1"), marks=[newer])
    )

    assert decided.verdicts == [Verdict.OUTDATED]
    assert decided.released == {}


def test_deletion_releases_a_device_that_was_allocated_later() -> None:
    sent = message("device.deleted", at=NOW - MINUTE)

    assert list(run(sent, on=world(held("d1", since=NOW))).released) == ["d1"]


# -- log ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "cause"),
    [
        ("device.failed", "device failure"),
        ("device.deleted", "device deletion"),
        ("device.status_changed", "device status change"),
        ("device.maintenance", "device maintenance"),
    ],
)
def test_log_shows_which_allocation_was_released_and_why(event_type: str, cause: str) -> None:
    (outcome,) = run(message(event_type), on=world(held("d1"))).outcomes

    assert outcome.remarks == (
        f"Auto-released allocation allocation-of-d1 due to {cause} (user u1)",
    )
    assert outcome.released == (event_type.replace(".", "_"),)
    assert outcome.notified == 1


def test_recreated_device_restarts_its_versions() -> None:
    deleted = world(
        device("d1", health=Health.DELETED),
        marks=[
            mark(Concern.CREATION, NOW - 60 * MINUTE, 5),
            mark(Concern.HEALTH, NOW - 30 * MINUTE, 9),
        ],
    )

    decided = run(
        message("device.created", at=NOW - 20 * MINUTE, version=1),
        message("device.failed", at=NOW - 10 * MINUTE, version=2),
        on=deleted,
    )

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.device("d1").health is Health.FAILED


@pytest.mark.parametrize("version", [None, 1, 99])
def test_creation_before_the_deletion_does_not_restore_the_device(
    version: int | None,
) -> None:
    deleted = world(
        device("d1", health=Health.DELETED),
        marks=[
            mark(Concern.CREATION, NOW - 60 * MINUTE, 5),
            mark(Concern.HEALTH, NOW - 30 * MINUTE, 9),
        ],
    )
    decided = run(message("device.created", at=NOW - 40 * MINUTE, version=version), on=deleted)

    assert decided.work.device("d1").health is Health.DELETED


@pytest.mark.parametrize(
    ("fields", "address"),
    [
        ({}, (None, None)),
        ({"adbHost": "10.0.0.1", "adbPort": 5555}, ("10.0.0.1", 5555)),
    ],
)
def test_adb_address_of_the_event_is_stored(
    fields: dict[str, Any], address: tuple[str | None, int | None]
) -> None:
    found = run(message("device.created", **fields)).work.device("d1")

    assert (found.adb_host, found.adb_port) == address


@pytest.mark.parametrize(
    ("fields", "before", "remark"),
    [
        ({}, None, "joined the pool"),
        ({"status": "running"}, None, "joined the pool"),
        ({"status": " "}, None, "joined the pool"),
        ({"status": "creating"}, None, "waits outside the pool (unknown)"),
        ({"status": "stopped"}, None, "waits outside the pool (stopped)"),
        ({}, Health.FAILED, "waits outside the pool (failed)"),
        ({"status": "creating"}, Health.RUNNING, "joined the pool"),
    ],
)
def test_operators_read_whether_a_device_joined_the_pool(
    fields: dict[str, Any], before: Health | None, remark: str
) -> None:
    newer = [mark(Concern.HEALTH, NOW + MINUTE)] if before else []
    known = world(device("d1", health=before or Health.UNKNOWN), marks=newer)

    (outcome,) = run(message("device.created", at=NOW, **fields), on=known).outcomes

    assert outcome.remarks == (f"Device d1 {remark}",)
