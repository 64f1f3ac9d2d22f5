"""The work of a transaction: rules see the changes of earlier rules, and undo removes them all."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.guard import Aggregate, Concern, Guard, Stamp
from scheduler.domain.model import DeviceStatus, Health, Quota, UserStatus
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from tests.support.deciding import QUOTA
from tests.support.world import MINUTE, NOW, device, held, user, world

REASON = ReleaseReason.device_deleted()
USERS = st.sampled_from(["u1", "u2", "unknown"])
DEVICES = st.sampled_from(["d1", "d2", "d3", "unknown"])

Step = Callable[[Work], object]


def start() -> Work:
    on = world(user("u1"), user("u2"), held("d1", by="u1"), held("d2", by="u2"), device("d3"))
    work = Work(on, NOW, QUOTA)
    work.begin("queue:before")
    return work


def release_one(device_id: str) -> Step:
    def step(work: Work) -> None:
        for allocation in work.active_allocations(device=device_id):
            work.release(allocation, REASON)

    return step


def allocate(user_id: str, device_id: str) -> Step:
    def step(work: Work) -> None:
        if work.active_allocations(device=device_id):
            return
        id_ = f"new-{user_id}-{device_id}-{len(work.grants)}"
        work.allocate(id_, user_id, work.device(device_id), NOW + MINUTE)

    return step


def advance(aggregate: Aggregate, id_: str, concern: Concern) -> Step:
    guard = Guard(None, (concern,))
    return lambda work: work.advance(guard.advances, aggregate, id_, Stamp(NOW, 1))


STEPS = st.one_of(
    DEVICES.map(release_one),
    USERS.map(lambda id_: lambda work: work.release_all(id_, REASON)),
    st.builds(allocate, USERS, DEVICES),
    st.builds(
        lambda id_, status: lambda work: work.set_user_status(id_, status),
        USERS,
        st.sampled_from(UserStatus),
    ),
    st.builds(
        lambda id_, hold, in_debt: (
            lambda work: work.set_billing_hold(id_, hold=hold, in_debt=in_debt)
        ),
        *(USERS, st.booleans(), st.booleans()),
    ),
    USERS.map(lambda id_: lambda work: work.set_quota(id_, Quota(1, 2, 3))),
    USERS.map(lambda id_: lambda work: work.erase_user(id_)),
    USERS.map(lambda id_: lambda work: work.ensure_exists(Aggregate.USER, id_)),
    DEVICES.map(lambda id_: lambda work: work.ensure_exists(Aggregate.DEVICE, id_)),
    st.builds(
        lambda id_, health: lambda work: work.set_device_health(id_, health),
        DEVICES,
        st.sampled_from(Health),
    ),
    DEVICES.map(lambda id_: lambda work: work.update_device(work.device(id_)._replace(name="new"))),
    USERS.map(lambda id_: lambda work: work.notify(id_, NoticeKind.RECHARGED, amount=1)),
    st.builds(advance, st.sampled_from(Aggregate), USERS, st.sampled_from(Concern)),
)


def recorded(work: Work) -> dict[str, Any]:
    """Return everything in a work that a later message or the commit can read."""
    mappings = {
        name: list(getattr(work, name).items())
        for name in (
            *("users", "devices", "marks", "changed_users", "changed_devices", "changed_marks"),
            *("erased_users", "grants", "releases", "notices"),
        )
    }
    active = {
        **{f"user {id_}": work.active_allocations(user=id_) for id_ in ("u1", "u2", "unknown")},
        **{f"device {id_}": work.active_allocations(device=id_) for id_ in work.devices},
    }
    return deepcopy(mappings | active)


@given(done=st.lists(STEPS, max_size=6), failing=st.lists(STEPS, max_size=6))
def test_undo_removes_all_changes_of_a_message(done: list[Step], failing: list[Step]) -> None:
    work = start()
    for step in done:
        step(work)
    before = recorded(work)

    work.begin("queue:failing")
    for step in failing:
        step(work)
    work.undo()

    assert recorded(work) == before


@given(done=st.lists(STEPS, max_size=6))
def test_the_status_of_a_device_matches_its_allocations(done: list[Step]) -> None:
    work = start()
    for step in done:
        step(work)

    for id_ in work.devices:
        held_by = work.active_allocations(device=id_)
        assert (work.device(id_).status is DeviceStatus.ALLOCATED) is bool(held_by)


def test_undoing_twice_undoes_one_message_only() -> None:
    work = start()
    work.set_billing_hold("u1", hold=True)
    work.begin("queue:failing")
    work.set_billing_hold("u2", hold=True)

    work.undo()
    work.undo()

    assert work.user("u1").billing_hold
    assert not work.user("u2").billing_hold


def test_active_allocations_are_sorted_by_time_and_id() -> None:
    old, b, a = held("d9", since=NOW - MINUTE), held("d2", since=NOW), held("d1", since=NOW)

    work = Work(world(b, a, old), NOW, QUOTA)

    assert work.active_allocations(user="u1") == [old, a, b]


def test_a_released_allocation_is_not_active_for_user_or_device() -> None:
    work = start()
    (allocation,) = work.active_allocations(user="u1")

    work.release(allocation, REASON)

    assert work.active_allocations(user="u1") == work.active_allocations(device="d1") == []


@pytest.mark.parametrize(
    ("used", "seconds"),
    [
        (timedelta(hours=3), 10_800),
        (timedelta(seconds=1.9), 1),
        (timedelta(0), 0),
        (-5 * MINUTE, 0),
    ],
)
def test_the_duration_is_in_whole_seconds_and_never_negative(used: timedelta, seconds: int) -> None:
    work = Work(world(held("d1", since=NOW - used)), NOW, QUOTA)

    work.release_all("u1", REASON)

    (release,) = work.releases.values()
    assert release.duration_seconds == seconds
    assert release.released_at == max(NOW, NOW - used)


def test_a_user_is_notified_of_an_allocation() -> None:
    work = start()

    work.allocate("a-new", "u1", work.device("d3"), NOW + 60 * MINUTE)

    (notice,) = work.notices.values()
    assert (notice.kind, notice.dedupe_key) == (
        NoticeKind.ALLOCATION_SUCCESS,
        "allocation_success:a-new",
    )
    assert work.device("d3").status is DeviceStatus.ALLOCATED
    assert [one.device_id for one in work.active_allocations(user="u1")] == ["d1", "d3"]


def test_notices_are_unique_per_message_and_those_of_releases_per_allocation() -> None:
    work = start()
    work.begin("scheduler.user-suspended:m-1")

    work.release_all("u1", REASON)
    work.notify("u1", NoticeKind.ACCOUNT_SUSPENDED, reason="x", released=1)

    assert list(work.notices) == [
        "device_released:allocation-of-d1",
        "account_suspended:scheduler.user-suspended:m-1",
    ]


def test_a_deleted_user_is_not_notified() -> None:
    work = start()

    work.set_user_status("u1", UserStatus.DELETED)
    work.notify("u1", NoticeKind.RECHARGED)
    work.release_all("u1", REASON)

    assert work.notices == {}


def test_unknown_users_and_devices_have_defaults() -> None:
    work = Work(Snapshot(), NOW, Quota(4))

    assert work.user("x").quota == Quota(4)
    assert not work.user("x").known
    assert not work.user("x").has_preferences
    assert not work.device("x").known
    assert work.device("x")[4:7] == (0, 0, 0)
    assert work.active_allocations(user="x") == work.active_allocations(device="x") == []


def test_only_unknown_users_and_devices_are_created() -> None:
    work = start()

    work.ensure_exists(Aggregate.USER, "u1")
    work.ensure_exists(Aggregate.USER, "unknown")
    work.ensure_exists(Aggregate.DEVICE, "d1")
    work.ensure_exists(Aggregate.DEVICE, "unknown")

    assert list(work.changed_users) == ["unknown"]
    assert list(work.changed_devices) == ["unknown"]
