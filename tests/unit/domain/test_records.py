"""What a work records for the commit: who made a change, until when, and what users are told."""

from __future__ import annotations

import pytest

from scheduler.domain.guard import Aggregate, Concern, MarkKey
from scheduler.domain.model import Allocation
from scheduler.domain.notices import NoticeKind
from scheduler.domain.work import Work
from tests.support.deciding import QUOTA
from tests.support.world import HOUR, NOW, device, held, mark, user, world


def start(actor: str = "") -> Work:
    return Work(world(user("u1"), held("d1"), device("d2")), NOW, QUOTA, actor=actor)


@pytest.mark.parametrize(
    ("actor", "message", "expected"),
    [
        ("", "", ""),
        ("", "q:m-1", "event:q:m-1"),
        ("user:u1", "", "user:u1"),
        ("user:u1", "q:m-1", "user:u1"),
    ],
)
def test_actor_is_the_requester_or_the_message(actor: str, message: str, expected: str) -> None:
    work = start(actor)

    work.begin(message)

    assert work.actor == expected


@pytest.mark.parametrize(("actor", "recorded"), [(None, "user:u1"), ("line", "line"), ("", "")])
def test_allocation_is_recorded_with_its_end_and_actor(actor: str | None, recorded: str) -> None:
    work = start("user:u1")

    work.allocate("a-new", "u1", work.device("d2"), NOW + HOUR, actor)

    (grant,) = work.grants.values()
    assert grant.allocation == Allocation("a-new", "u1", "d2", NOW)
    assert (grant.expires_at, grant.actor) == (NOW + HOUR, recorded)


def test_extension_is_recorded_with_its_end_and_actor() -> None:
    work = start("user:u1")
    (allocation,) = work.active_allocations(user="u1")

    work.extend(allocation, NOW + HOUR)

    (extension,) = work.extensions.values()
    assert extension.allocation == allocation
    assert (extension.expires_at, extension.actor) == (NOW + HOUR, "user:u1")
    assert work.grants == {}


def test_notice_of_an_allocation_says_which_and_until_when() -> None:
    work = start()

    work.allocate("a-new", "u1", work.device("d2"), NOW + HOUR)

    (notice,) = work.notices.values()
    assert notice.allocation_id == "a-new"
    assert (notice.params["device"], notice.params["expires_at"]) == ("d2", NOW + HOUR)


def test_warning_says_which_allocation_ends_and_when() -> None:
    work = start()
    (allocation,) = work.active_allocations(user="u1")

    work.warn_of_expiry(allocation, NOW + HOUR)

    (notice,) = work.notices.values()
    assert notice.kind is NoticeKind.ALLOCATION_EXPIRING_SOON
    assert notice.allocation_id == allocation.id
    assert (notice.params["device"], notice.params["expires_at"]) == ("d1", NOW + HOUR)


def test_erasing_an_unknown_user_creates_their_row() -> None:
    work = start()

    work.erase_user("unknown")

    assert list(work.erased_users) == list(work.changed_users) == ["unknown"]


def test_recreated_device_restarts_its_version_count() -> None:
    marks = [mark(Concern.HEALTH, NOW, 7), mark(Concern.CREATION, NOW, 5)]
    work = Work(world(device("d1"), marks=marks), NOW, QUOTA)

    work.forget_device_versions("d1")

    keys = [MarkKey(Aggregate.DEVICE, "d1", one) for one in (Concern.HEALTH, Concern.CREATION)]
    assert [work.marks[key].version for key in keys] == [None, None]
    assert [work.marks[key].occurred_at for key in keys] == [NOW, NOW]
    assert [work.marks[key].newest_unversioned for key in keys] == [NOW, NOW]


def test_payment_without_later_failures_has_none() -> None:
    work = start()
    work.begin("q:paid")

    assert work.later_payment_failures() == 0
