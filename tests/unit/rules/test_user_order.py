"""User events that arrive out of order or after a deletion."""

import pytest

from scheduler.domain.guard import Concern
from scheduler.domain.model import UserStatus
from scheduler.domain.state import Snapshot
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import run
from tests.support.events import message
from tests.support.world import MILLISECOND, MINUTE, NOW, held, mark, user, world


def fleet(size: int, by: str = "u1") -> Snapshot:
    """Devices d1, d2, … of a user, each allocated a minute after the one before."""
    start = NOW - 100 * MINUTE
    return world(*(held(f"d{n}", by, start + n * MINUTE) for n in range(1, size + 1)))


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    "event_type",
    [
        "user.activated",
        "user.suspended",
        "user.quota_updated",
        "user.quota_exceeded",
        "user.deleted",
    ],
)
def test_no_event_after_a_deletion_changes_the_user(event_type: str, *, version: bool) -> None:
    versions = (1, 2) if version else (None, None)
    first = message("user.deleted", at=NOW - 2 * MINUTE, version=versions[0])
    later = message(event_type, at=NOW - MINUTE, version=versions[1])

    decided = run(first, later, on=fleet(1))

    assert decided.verdicts == [Verdict.DONE, Verdict.OUTDATED]
    assert decided.work.user("u1").status is UserStatus.DELETED
    assert decided.told == []


@pytest.mark.parametrize("version", [True, False])
def test_deletion_is_applied_even_after_newer_events(*, version: bool) -> None:
    versions = (2, 1) if version else (None, None)
    newer = message("user.activated", at=NOW - MINUTE, version=versions[0])
    deletion = message("user.deleted", at=NOW - 2 * MINUTE, version=versions[1])

    decided = run(newer, deletion, on=fleet(1))

    assert decided.work.user("u1").status is UserStatus.DELETED
    assert list(decided.released) == ["d1"]


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    ("newest", "late", "outdated"),
    [
        ("user.activated", "user.suspended", True),
        ("user.suspended", "user.activated", True),
        ("user.quota_updated", "user.quota_exceeded", True),
        ("user.quota_updated", "user.quota_updated", True),
        # it sets no quota, so the older change still holds
        ("user.quota_exceeded", "user.quota_updated", False),
        ("user.quota_exceeded", "user.quota_exceeded", False),
        ("user.quota_updated", "user.suspended", False),
        ("user.suspended", "user.quota_updated", False),
        ("billing.overdue", "user.suspended", False),
        ("user.suspended", "billing.overdue", False),
        ("user.activated", "billing.recharged", False),
        ("billing.recharged", "user.quota_exceeded", False),
    ],
)
def test_only_newer_events_of_the_same_concern_make_an_event_outdated(
    newest: str, late: str, *, outdated: bool, version: bool
) -> None:
    versions = (9, 8) if version else (None, None)
    first = message(newest, at=NOW - MINUTE, version=versions[0])
    second = message(late, at=NOW - 2 * MINUTE, version=versions[1])

    decided = run(first, second, on=fleet(1))

    assert decided.verdicts == [Verdict.DONE, Verdict.OUTDATED if outdated else Verdict.DONE]


def test_quota_that_its_excess_overtakes_is_stored() -> None:
    updated = message("user.quota_updated", at=NOW - 2 * MILLISECOND, newQuota={"maxDevices": 5})
    exceeded = message("user.quota_exceeded", at=NOW - MILLISECOND, current=8, limit=5)

    decided = run(exceeded, updated, on=fleet(8))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.user("u1").quota.max_devices == 5
    assert list(decided.released) == ["d1", "d2", "d3"]


def test_activation_without_a_version_outdates_an_older_suspension_with_one() -> None:
    decided = run(
        message("user.activated", at=NOW - 60 * MINUTE, version=1),
        message("user.activated", at=NOW - MINUTE),
        message("user.suspended", at=NOW - 2 * MINUTE, version=2),
        on=fleet(1),
    )

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE, Verdict.OUTDATED]
    assert decided.released == {}


def test_mark_in_the_database_makes_an_event_outdated() -> None:
    on = world(user(), marks=[mark(Concern.ACCOUNT, NOW - MINUTE)])

    assert run(message("user.suspended", at=NOW - 2 * MINUTE), on=on).verdicts == [Verdict.OUTDATED]
