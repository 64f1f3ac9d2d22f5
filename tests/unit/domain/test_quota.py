"""The quota of a user: headroom, suitable devices, and releases when it is reduced."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.domain.model import Quota, UserStatus
from scheduler.domain.quota import (
    NO_LIMIT,
    UNLIMITED,
    Headroom,
    Requirements,
    fits,
    headroom,
    release_surplus_devices,
)
from scheduler.domain.refusal import (
    Refusal,
    RefusedError,
    require_existing,
    require_may_allocate,
)
from scheduler.domain.work import Work
from scheduler.notification import catalogue
from tests.support.world import MINUTE, NOW, device, held, user, world

DEFAULT = Quota(3)


def work(quota: Quota | None = None, devices: int = 0) -> Work:
    allocations = [held(f"d{n}", since=NOW - n * MINUTE) for n in range(1, devices + 1)]
    things: list[Any] = [user(quota=quota)] if quota else []
    return Work(world(*things, *allocations), NOW, DEFAULT)


def test_without_limits_any_device_fits() -> None:
    assert headroom(work(Quota(10), 9), "u1", Requirements()) == NO_LIMIT


def test_no_limit_is_the_largest_size_that_a_column_holds() -> None:
    assert Headroom(2**32 - 1, 2**32 - 1) == NO_LIMIT


def test_an_unknown_user_has_the_default_quota() -> None:
    assert headroom(work(), "stranger", Requirements()) == NO_LIMIT
    with pytest.raises(RefusedError):
        headroom(Work(world(), NOW, Quota(0)), "stranger", Requirements())


def test_the_headroom_is_the_quota_minus_the_held_devices() -> None:
    # Each held device has 2 cores and 4096 MB.
    found = headroom(work(Quota(10, 16, 10_000), 2), "u1", Requirements(2, 1024))

    assert found == Headroom(12, 1808)


@pytest.mark.parametrize(
    ("quota", "requirements", "details"),
    [
        (Quota(2), Requirements(), {"quota": "devices", "limit": 2, "used": 2, "requested": 1}),
        (Quota(1), Requirements(), {"quota": "devices", "limit": 1, "used": 2, "requested": 1}),
        (Quota(9, 5), Requirements(2), {"quota": "cpu", "limit": 5, "used": 4, "requested": 2}),
        (Quota(9, 3), Requirements(), {"quota": "cpu", "limit": 3, "used": 4, "requested": 0}),
        (
            Quota(9, None, 9000),
            Requirements(0, 1000),
            {"quota": "memory", "limit": 9000, "used": 8192, "requested": 1000},
        ),
    ],
)
def test_an_exceeded_quota_is_refused_with_its_figures(
    quota: Quota, requirements: Requirements, details: dict[str, object]
) -> None:
    with pytest.raises(RefusedError) as refused:
        headroom(work(quota, 2), "u1", requirements)

    assert refused.value.refusal is Refusal.QUOTA_EXCEEDED
    assert refused.value.details == details


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        ({"status": UserStatus.DELETED, "billing_hold": True}, Refusal.USER_DELETED),
        ({"status": UserStatus.SUSPENDED, "billing_hold": True}, Refusal.USER_SUSPENDED),
        ({"billing_hold": True}, Refusal.BILLING_HOLD),
    ],
)
def test_the_state_of_the_user_forbids_allocating(fields: dict[str, Any], refusal: Refusal) -> None:
    with pytest.raises(RefusedError) as refused:
        require_may_allocate(user(**fields))

    assert refused.value.refusal is refusal
    assert str(refused.value)


def test_only_a_deleted_user_cannot_be_changed() -> None:
    require_existing(user(status=UserStatus.SUSPENDED, billing_hold=True))
    with pytest.raises(RefusedError):
        require_existing(user(status=UserStatus.DELETED))


def test_a_smaller_quota_releases_the_oldest_and_notifies_the_user_once() -> None:
    found = work(Quota(10), 5)
    found.begin("api:1")

    assert release_surplus_devices(found, "u1", 3) == 2

    assert [r.allocation.device_id for r in found.releases.values()] == ["d5", "d4"]
    reasons = {catalogue.reason_text(release.reason) for release in found.releases.values()}
    assert reasons == {"配额已调整为 3 台设备"}
    kinds = [notice.kind.type for notice in found.notices.values()]
    assert kinds == ["device_released", "device_released", "quota_adjusted"]


def test_a_quota_with_headroom_releases_and_notifies_nothing() -> None:
    found = work(Quota(10), 3)

    assert release_surplus_devices(found, "u1", 3) == 0
    assert not found.releases
    assert not found.notices


def test_an_unknown_size_counts_as_zero() -> None:
    snapshot = world(user(quota=Quota(9, 4, 4096)), device(cpu_cores=0, memory_mb=0), held())

    assert headroom(Work(snapshot, NOW, DEFAULT), "u1", Requirements()) == Headroom(4, 4096)


@pytest.mark.parametrize(
    ("cpu", "memory", "required", "limit", "fitting"),
    [
        (2, 4096, Requirements(), Headroom(), True),
        (2, 4096, Requirements(2, 4096), Headroom(2, 4096), True),
        (2, 4096, Requirements(3), Headroom(), False),
        (2, 4096, Requirements(), Headroom(1), False),
        (2, 4096, Requirements(), Headroom(UNLIMITED, 4095), False),
        (1, 1, Requirements(), Headroom(1, 1), True),
        (0, 0, Requirements(), Headroom(), True),
        (0, 0, Requirements(1), Headroom(), False),
        (0, 0, Requirements(), Headroom(8), False),
        (0, 0, Requirements(), Headroom(UNLIMITED, 8192), False),
        (2, 0, Requirements(1), Headroom(8), True),
        (2, 0, Requirements(1, 1), Headroom(8), False),
    ],
)
def test_a_device_of_unknown_size_fits_only_without_required_size_and_quota(
    cpu: int, memory: int, required: Requirements, limit: Headroom, *, fitting: bool
) -> None:
    assert fits(device(cpu_cores=cpu, memory_mb=memory), required, limit) is fitting
