"""The state of a transaction: rows that are locked later, and what the changes affect."""

from __future__ import annotations

import pytest

from scheduler.domain.model import CANARY_PREFIX, DeviceStatus, Health, UserStatus
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from tests.support.deciding import QUOTA
from tests.support.world import NOW, device, held, user, world

REASON = ReleaseReason.user_request()


def test_rows_locked_later_are_added() -> None:
    work = Work(world(user("u1")), NOW, QUOTA)

    work.merge(world(user("u2"), held("d2", by="u2")))

    assert list(work.users) == ["u2", "u1"]
    assert work.device("d2").known
    assert work.active_allocations(user="u2") == work.active_allocations(device="d2")
    assert len(work.active_allocations(user="u2")) == 1


def test_rows_loaded_before_keep_their_changes() -> None:
    work = Work(world(user("u1"), device("d1")), NOW, QUOTA)
    work.set_billing_hold("u1", hold=True)
    work.set_device_health("d1", Health.FAILED)

    work.merge(world(user("u1"), device("d1")))

    assert work.user("u1").billing_hold
    assert work.device("d1").health is Health.FAILED


def test_ended_allocation_stays_ended_when_its_row_is_locked_again() -> None:
    work = Work(world(held("d1")), NOW, QUOTA)
    work.release_all("u1", REASON)

    work.merge(world(held("d1")))

    assert work.active_allocations(user="u1") == []


@pytest.mark.parametrize("health", Health)
@pytest.mark.parametrize("is_held", [False, True])
def test_changed_device_is_free_if_it_is_running_and_not_held(
    health: Health, *, is_held: bool
) -> None:
    work = Work(world(held("d1") if is_held else device("d1"), device("d2")), NOW, QUOTA)

    work.set_device_health("d1", health)

    expected = ["d1"] if health is Health.RUNNING and not is_held else []
    assert [one.id for one in work.changed_free_devices()] == expected


def test_users_end_if_they_are_suspended_or_deleted_but_not_on_billing_hold() -> None:
    work = Work(world(user("u1"), user("u2"), user("u3"), user("u4")), NOW, QUOTA)

    work.set_user_status("u1", UserStatus.ACTIVE)
    work.set_user_status("u2", UserStatus.SUSPENDED)
    work.set_user_status("u3", UserStatus.DELETED)
    work.set_billing_hold("u4", hold=True)

    assert work.changed_ended_users() == ["u2", "u3"]
    assert work.changed_blocked_users() == ["u2", "u3", "u4"]


@pytest.mark.parametrize(
    ("health", "stored"),
    [(Health.RUNNING, Health.UNKNOWN), (Health.FAILED, Health.FAILED)],
)
def test_canary_device_is_never_running(health: Health, stored: Health) -> None:
    id_ = f"{CANARY_PREFIX}1"
    work = Work(world(device(id_)), NOW, QUOTA)

    work.set_device_health(id_, health)

    assert work.device(id_).health is stored
    assert work.device(id_).status is DeviceStatus.AVAILABLE


def test_other_devices_may_be_running() -> None:
    work = Work(world(device("d1", health=Health.FAILED)), NOW, QUOTA)

    work.set_device_health("d1", Health.RUNNING)

    assert work.device("d1").health is Health.RUNNING
