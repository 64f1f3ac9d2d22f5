"""The rules of the user events."""

from typing import Any

import pytest

from scheduler.domain.model import DeviceStatus, Quota, User, UserStatus
from scheduler.domain.state import Snapshot
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import QUOTA, Decided, Told, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, device, held, user, world

MAIL = ("websocket", "email")
STATUS_AFTER = {
    "user.deleted": UserStatus.DELETED,
    "user.suspended": UserStatus.SUSPENDED,
    "user.activated": UserStatus.ACTIVE,
}


def fleet(size: int, by: str = "u1") -> Snapshot:
    """Devices d1, d2, … of a user, each allocated a minute after the one before."""
    start = NOW - 100 * MINUTE
    return world(*(held(f"d{n}", by, start + n * MINUTE) for n in range(1, size + 1)))


def kept(decided: Decided) -> list[str]:
    return [allocation.device_id for allocation in decided.work.active_allocations(user="u1")]


# -- deletion, suspension, activation --------------------------------------------


@pytest.mark.parametrize("event_type", STATUS_AFTER)
def test_account_gets_the_status_of_the_event(event_type: str) -> None:
    decided = run(message(event_type), on=world(user(status=UserStatus.SUSPENDED)))

    assert decided.work.user("u1").status is STATUS_AFTER[event_type]


@pytest.mark.parametrize("event_type", STATUS_AFTER)
def test_unknown_user_gets_a_row_with_the_default_quota(event_type: str) -> None:
    decided = run(message(event_type))

    expected = User("u1", QUOTA, STATUS_AFTER[event_type], known=False)
    assert decided.work.users == {"u1": expected}


@pytest.mark.parametrize(
    ("event_type", "reason"),
    [("user.deleted", "用户账户已删除"), ("user.suspended", "账户已暂停：违反服务条款")],
)
def test_all_devices_are_released_with_the_reason_of_the_event(
    event_type: str, reason: str
) -> None:
    decided = run(message(event_type), on=fleet(3))

    assert decided.released == {"d1": reason, "d2": reason, "d3": reason}
    assert {one.status for one in decided.work.devices.values()} == {DeviceStatus.AVAILABLE}


def test_devices_of_other_users_are_not_released() -> None:
    decided = run(message("user.suspended"), on=world(held("d1"), held("d2", by="u2")))

    assert list(decided.released) == ["d1"]
    assert list(decided.work.changed_users) == ["u1"]


def test_suspended_user_is_notified_of_each_device_and_of_the_suspension() -> None:
    decided = run(message("user.suspended"), on=fleet(3))

    assert [told.type for told in decided.told] == ["device_released"] * 3 + ["account_suspended"]
    assert decided.told_but_releases == [
        Told(
            "u1",
            "account_suspended",
            MAIL,
            "您的账户已暂停：违反服务条款。已自动释放 3 台设备。",
        )
    ]


def test_suspended_user_without_devices_is_notified_of_the_suspension_only() -> None:
    assert [told.type for told in run(message("user.suspended")).told] == ["account_suspended"]


def test_suspension_releases_devices_allocated_after_the_event() -> None:
    sent = message("user.suspended", at=NOW - 5 * MINUTE)

    assert list(run(sent, on=world(held("d1", since=NOW - MINUTE))).released) == ["d1"]


def test_deleted_user_is_not_notified_and_their_contact_data_is_erased() -> None:
    decided = run(message("user.deleted"), on=fleet(2))

    assert decided.told == []
    assert list(decided.work.erased_users) == ["u1"]


def test_deletion_releases_devices_allocated_after_the_event() -> None:
    sent = message("user.deleted", at=NOW - 5 * MINUTE)

    assert list(run(sent, on=world(held("d1", since=NOW))).released) == ["d1"]


def test_activation_notifies_nobody_and_keeps_a_billing_hold() -> None:
    on = world(user(status=UserStatus.SUSPENDED, billing_hold=True))

    decided = run(message("user.activated"), on=on)

    assert decided.told == []
    assert decided.work.user("u1") == user(status=UserStatus.ACTIVE, billing_hold=True)


# -- quota -------------------------------------------------------------------------


def test_quota_of_five_releases_the_oldest_three_of_eight_devices() -> None:
    decided = run(message("user.quota_updated", newQuota={"maxDevices": 5}), on=fleet(8))

    assert decided.released == dict.fromkeys(("d1", "d2", "d3"), "配额已调整为 5 台设备")
    assert kept(decided) == ["d4", "d5", "d6", "d7", "d8"]
    assert decided.told_but_releases == [
        Told(
            "u1",
            "quota_adjusted",
            MAIL,
            "您的设备配额已调整为 5 台设备，已自动释放最早分配的 3 台设备。",
        )
    ]
    assert len(decided.told) == 4


def test_oldest_device_is_the_one_allocated_first() -> None:
    on = world(
        held("d1", since=NOW - MINUTE),
        held("d2", since=NOW - 3 * MINUTE),
        held("d3", since=NOW - 2 * MINUTE),
    )

    decided = run(message("user.quota_updated", newQuota={"maxDevices": 1}), on=on)

    assert list(decided.released) == ["d2", "d3"]


@pytest.mark.parametrize("size", [5, 3, 0])
def test_sufficient_quota_is_stored_and_nobody_is_notified(size: int) -> None:
    decided = run(message("user.quota_updated", newQuota={"maxDevices": 5}), on=fleet(size))

    assert decided.work.user("u1").quota == Quota(5)
    assert (decided.released, decided.told) == ({}, [])


def test_quota_of_zero_releases_everything() -> None:
    assert kept(run(message("user.quota_updated", newQuota={"maxDevices": 0}), on=fleet(2))) == []


def test_quotas_of_cores_and_memory_are_stored_and_release_nothing() -> None:
    new = {"maxDevices": 8, "maxCpu": 1, "maxMemory": 1}

    decided = run(message("user.quota_updated", newQuota=new), on=fleet(8))

    assert decided.work.user("u1").quota == Quota(8, 1, 1)
    assert decided.released == {}


@pytest.mark.parametrize(
    ("quota_type", "limit", "released"),
    [
        ("devices", 4, []),
        ("devices", 3, ["d1"]),
        ("devices", 0, ["d1", "d2", "d3", "d4"]),
        ("cpu", 15, []),
        ("cpu", 14, ["d1"]),
        ("cpu", 12, ["d1", "d2"]),
        ("cpu", 0, ["d1", "d2", "d3", "d4"]),
        ("memory", 15 * 1024, []),
        ("memory", 15 * 1024 - 1, ["d1"]),
        ("memory", 8 * 1024, ["d1", "d2", "d3"]),
    ],
)
def test_exceeded_quota_releases_the_oldest_until_the_actual_usage_fits(
    quota_type: str, limit: int, released: list[str]
) -> None:
    sizes = {f"d{n}": 2 ** (n - 1) for n in range(1, 5)}  # 1, 2, 4, 8
    devices = [device(id_, cpu_cores=n, memory_mb=n * 1024) for id_, n in sizes.items()]
    on = world(*devices, *fleet(4).allocations.values())
    sent = message("user.quota_exceeded", quotaType=quota_type, current=1_000_000, limit=limit)

    decided = run(sent, on=on)

    assert decided.released == dict.fromkeys(released, "设备配额超限，已自动释放")
    assert bool(decided.told_but_releases) is bool(released)


def test_notification_of_an_exceeded_quota_has_the_number_of_devices() -> None:
    decided = run(message("user.quota_exceeded", limit=2), on=fleet(4))

    assert decided.told_but_releases == [
        Told("u1", "quota_adjusted", MAIL, "您的设备配额超限，已自动释放最早分配的 2 台设备。")
    ]


def test_repeated_exceeded_quota_releases_once() -> None:
    twice = [message("user.quota_exceeded", id=id_, current=4, limit=3) for id_ in ("a", "b")]

    decided = run(*twice, on=fleet(4))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert list(decided.released) == ["d1"]
    assert len(decided.told_but_releases) == 1


def test_exceeded_quota_does_not_change_the_stored_quota() -> None:
    decided = run(message("user.quota_exceeded", limit=2), on=fleet(4))

    assert decided.work.user("u1").quota == Quota(10)


@pytest.mark.parametrize("event_type", ["user.quota_updated", "user.quota_exceeded"])
def test_quota_event_releases_devices_allocated_after_it(event_type: str) -> None:
    at = NOW - 5 * MINUTE
    on = world(held("d1", since=at - MINUTE), held("d2", since=at + MINUTE))
    limits = {"user.quota_updated": {"newQuota": {"maxDevices": 0}}}
    fields = limits.get(event_type, {"limit": 0})

    decided = run(message(event_type, at=at, **fields), on=on)

    assert kept(decided) == []


@pytest.mark.parametrize("quota_type", ["cpu", "memory"])
def test_quota_of_cpu_or_memory_skips_devices_of_size_zero(
    quota_type: str,
) -> None:
    on = world(
        device("unsized", cpu_cores=0, memory_mb=0),
        held("unsized", since=NOW - 3 * MINUTE),
        held("d2", since=NOW - 2 * MINUTE),
        held("d3", since=NOW - MINUTE),
    )
    limit = {"cpu": 2, "memory": 4096}[quota_type]

    decided = run(message("user.quota_exceeded", quotaType=quota_type, limit=limit), on=on)

    assert list(decided.released) == ["d2"]


def test_quota_event_releases_the_oldest_even_if_a_newer_one_exceeds_it() -> None:
    at = NOW - 5 * MINUTE
    on = world(held("d1", since=at - MINUTE), held("d2", since=at + MINUTE))

    decided = run(message("user.quota_updated", at=at, newQuota={"maxDevices": 1}), on=on)

    assert list(decided.released) == ["d1"]


# -- log -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event_type", "fields", "sentence"),
    [
        ("user.deleted", {}, "Released 8 allocations of u1 due to user deletion"),
        (
            "user.suspended",
            {},
            "Released 8 allocations, sent 8 notifications due to suspension of u1",
        ),
        (
            "user.quota_updated",
            {"newQuota": {"maxDevices": 5}},
            "Released 3 excess devices due to quota reduction of u1",
        ),
        (
            "user.quota_exceeded",
            {"limit": 6},
            "Released 2 excess devices of u1, who exceeded their quota of 6 devices",
        ),
    ],
)
def test_log_shows_what_was_done(event_type: str, fields: dict[str, Any], sentence: str) -> None:
    (outcome,) = run(message(event_type, **fields), on=fleet(8)).outcomes

    assert outcome.remarks == (sentence,)
