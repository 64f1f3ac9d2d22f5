"""The changes and notifications of an expiry and of its warning."""

from typing import Any

import pytest

from scheduler.domain.model import DeviceStatus, UserStatus
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from scheduler.notification.render import render
from tests.support.deciding import QUOTA
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

ALLOCATION = held("d1", since=NOW - 61 * MINUTE)


def start(**fields: Any) -> Work:  # noqa: ANN401 - any field of User
    return Work(world(user(**fields), ALLOCATION), NOW, QUOTA)


def test_an_expired_allocation_ends_and_frees_its_device() -> None:
    work = start()

    work.expire(ALLOCATION)

    (release,) = work.releases.values()
    assert release.expired
    assert (release.reason.code, release.duration_seconds) == ("allocation_expired", 3660)
    assert work.device("d1").status is DeviceStatus.AVAILABLE
    assert work.active_allocations(user="u1") == []


def test_a_release_for_another_reason_is_not_an_expiry() -> None:
    work = start()

    work.release_all("u1", ReleaseReason.account_blocked())

    (release,) = work.releases.values()
    assert not release.expired


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        ("zh-CN", "设备 d1 的使用时间已到，已自动释放。使用时长：1 小时 1 分钟。"),
        (
            "en",
            (
                "Your time with device d1 is over; it was released automatically."
                " Time used: 1 hour 1 minute."
            ),
        ),
    ],
)
def test_an_expiry_is_notified_by_websocket_and_email(locale: str, message: str) -> None:
    work = start(locale=locale)

    work.expire(ALLOCATION)

    (notice,) = work.notices.values()
    assert (notice.kind.type, [*notice.kind.channels]) == (
        "allocation_expired",
        ["websocket", "email"],
    )
    assert render(notice, locale).message == message


@pytest.mark.parametrize(
    ("locale", "message"),
    [
        ("zh-CN", "设备 d1 可使用至 2026年3月1日 20:05，到期后将自动释放。"),
        (
            "en",
            (
                "Device d1 is yours until 1 March 2026, 12:05 (UTC);"
                " then it is released automatically."
            ),
        ),
    ],
)
def test_a_warning_is_sent_by_websocket_only(locale: str, message: str) -> None:
    work = start(locale=locale)

    work.warn_of_expiry(ALLOCATION, NOW + 5 * MINUTE)

    (notice,) = work.notices.values()
    assert (notice.kind.type, [*notice.kind.channels]) == (
        "allocation_expiring_soon",
        ["websocket"],
    )
    assert render(notice, locale).message == message
    assert work.releases == {}


def test_a_warning_is_unique_per_allocation_and_expiry_time() -> None:
    work = start()

    work.warn_of_expiry(ALLOCATION, NOW + 5 * MINUTE)
    work.warn_of_expiry(ALLOCATION, NOW + 5 * MINUTE)
    work.warn_of_expiry(ALLOCATION, NOW + 5 * MINUTE + SECOND)

    assert list(work.notices) == [
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:05:00.000000",
        "allocation_expiring_soon:allocation-of-d1:2026-03-01T12:05:01.000000",
    ]


def test_a_deleted_user_is_not_notified_of_expiry() -> None:
    work = start(status=UserStatus.DELETED)

    work.warn_of_expiry(ALLOCATION, NOW + 5 * MINUTE)
    work.expire(ALLOCATION)

    assert work.notices == {}


def test_the_status_of_a_held_device_is_corrected_to_allocated() -> None:
    snapshot = world(ALLOCATION)
    snapshot.devices["d1"] = snapshot.devices["d1"]._replace(status=DeviceStatus.AVAILABLE)
    work = Work(snapshot, NOW, QUOTA)

    assert work.correct_device_status("d1")
    assert work.device("d1").status is DeviceStatus.ALLOCATED
    assert not work.correct_device_status("d1")


def test_the_status_of_a_free_device_is_corrected_to_available() -> None:
    work = Work(world(device("d1", status=DeviceStatus.ALLOCATED)), NOW, QUOTA)

    assert work.correct_device_status("d1")
    assert work.device("d1").status is DeviceStatus.AVAILABLE


def test_a_correct_device_status_is_not_changed() -> None:
    work = Work(world(device("d1"), held("d2")), NOW, QUOTA)

    assert not any(work.correct_device_status(id_) for id_ in ("d1", "d2", "unknown"))
    assert work.changed_devices == {}


def test_an_expiry_notification_respects_quiet_hours() -> None:
    assert not NoticeKind.ALLOCATION_EXPIRED.account_critical
