"""The waiting line: who is served, with which device, and who waits on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from scheduler.domain.model import Quota, UserStatus
from scheduler.domain.quota import Requirements
from scheduler.domain.waiting import WaitingEntry, WaitingStatus, assign
from scheduler.domain.work import Work
from tests.support.deciding import QUOTA
from tests.support.world import HOUR, MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from datetime import timedelta

    from scheduler.domain.model import Device


def entry(id_: str = "w1", by: str = "u1", **fields: Any) -> WaitingEntry:  # noqa: ANN401 - whatever an entry has
    made = WaitingEntry(id_, by, 0, 60, Requirements(), WaitingStatus.WAITING, NOW, NOW + HOUR)
    return made._replace(**fields)


def start(*things: Any) -> Work:  # noqa: ANN401 - users and allocations
    return Work(world(*things), NOW, QUOTA)


def test_entry_is_served_with_an_allocation_of_its_id_and_duration_from_now() -> None:
    work = start(user())

    served = assign(work, [entry(minutes=90)], [device()], {})

    assert [one.id for one in served] == ["w1"]
    (grant,) = work.grants.values()
    assert (grant.allocation.id, grant.allocation.user_id) == ("w1", "u1")
    assert grant.expires_at == NOW + 90 * MINUTE
    assert grant.actor == "line"


@pytest.mark.parametrize("status", WaitingStatus)
def test_only_a_served_entry_has_an_allocation(status: WaitingStatus) -> None:
    expected = "w1" if status is WaitingStatus.SERVED else None

    assert entry(status=status).allocation_id == expected


def test_each_device_is_allocated_once_in_the_order_of_the_line() -> None:
    work = start(user("u1"), user("u2"), user("u3"))
    line = [entry("w2", "u2"), entry("w3", "u3"), entry("w1", "u1")]

    served = assign(work, line, [device("d1"), device("d2")], {})

    assert [one.id for one in served] == ["w2", "w3"]
    assert given(work) == {"w2": "d1", "w3": "d2"}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (device("d2", cpu_cores=9), device("d1", cpu_cores=0)),  # of unknown size
        (device("d2", cpu_cores=1, memory_mb=9000), device("d1", cpu_cores=2, memory_mb=1)),
        (device("d2", memory_mb=1000), device("d1", memory_mb=1001)),
        (device("d1"), device("d2")),
    ],
)
def test_smallest_device_of_known_size_is_allocated_first(better: Device, worse: Device) -> None:
    for free in ([better, worse], [worse, better]):
        work = start(user())

        assign(work, [entry()], free, {})

        assert given(work) == {"w1": better.id}


def test_entry_waits_for_a_device_that_meets_its_requirements() -> None:
    work = start(user("u1"), user("u2"))
    line = [entry("w1", "u1", requirements=Requirements(4)), entry("w2", "u2")]

    served = assign(work, line, [device("small", cpu_cores=2)], {})

    assert [one.id for one in served] == ["w2"]


@pytest.mark.parametrize(
    ("free_for", "is_given"), [(HOUR - SECOND, False), (HOUR, True), (HOUR + SECOND, True)]
)
def test_reserved_device_is_allocated_only_if_the_allocation_ends_before_the_slot(
    free_for: timedelta, *, is_given: bool
) -> None:
    work = start(user())

    served = assign(work, [entry(minutes=60)], [device("d1")], {"d1": NOW + free_for})

    assert bool(served) is is_given


@pytest.mark.parametrize(
    "fields",
    [
        {"status": UserStatus.SUSPENDED},
        {"status": UserStatus.DELETED},
        {"billing_hold": True},
        {"quota": Quota(0)},
    ],
)
def test_user_who_may_not_have_a_device_is_skipped(fields: dict[str, Any]) -> None:
    work = start(user("u1", **fields), user("u2"))

    served = assign(work, [entry("w1", "u1"), entry("w2", "u2")], [device()], {})

    assert [one.id for one in served] == ["w2"]


def test_user_who_was_not_loaded_is_skipped() -> None:
    work = start(user("u2"))

    served = assign(work, [entry("w1", "u1"), entry("w2", "u2")], [device()], {})

    assert [one.id for one in served] == ["w2"]


def test_device_served_before_counts_toward_the_quota() -> None:
    work = start(user("u1", quota=Quota(2)), held("d0"))

    served = assign(work, [entry("w1"), entry("w2")], [device("d1"), device("d2")], {})

    assert [one.id for one in served] == ["w1"]


def given(work: Work) -> dict[str, str]:
    """Return the devices by the id of the entry."""
    return {id_: grant.allocation.device_id for id_, grant in work.grants.items()}
