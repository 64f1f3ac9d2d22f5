"""Protection against outdated events: marks only rise, and versions take precedence over times."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.guard import Concern, Mark, Stamp, advanced, is_outdated
from tests.support.deciding import handling_of
from tests.support.events import QUEUE_OF
from tests.support.world import NOW, SECOND

stamps = st.builds(
    Stamp,
    st.integers(0, 5).map(lambda seconds: NOW + seconds * SECOND),
    st.none() | st.integers(1, 5),
)
marks = st.none() | st.lists(stamps, min_size=1, max_size=4).map(lambda events: mark_of(*events))


def mark_of(*events: Stamp) -> Mark | None:
    """Return the mark after these events."""
    mark: Mark | None = None
    for event in events:
        mark = advanced(event, mark)
    return mark


# The concern that each event is compared with, and those that it advances.
TABLE = {
    "device.failed": ("health", {"health"}),
    "device.deleted": ("creation", {"health"}),
    "device.status_changed": ("health", {"health"}),
    "device.maintenance": ("health", {"health"}),
    "device.created": ("creation", {"creation", "health"}),
    "user.deleted": (None, {"account"}),
    "user.suspended": ("account", {"account"}),
    "user.activated": ("account", {"account"}),
    "user.quota_updated": ("quota", {"quota"}),
    "user.quota_exceeded": ("quota", set()),
    "billing.payment_failed": ("billing", set()),
    "billing.balance_low": ("billing", set()),
    "billing.overdue": ("billing", {"billing"}),
    "billing.payment_success": ("billing", {"billing"}),
    "billing.recharged": ("billing", {"billing"}),
}


@pytest.mark.parametrize("event_type", TABLE)
def test_each_event_compares_and_advances_the_concerns_of_the_table(event_type: str) -> None:
    guard = handling_of(QUEUE_OF[event_type]).contract.guard
    compares, advances = TABLE[event_type]

    assert guard.compares == (Concern(compares) if compares else None)
    assert set(guard.advances) == advances


@pytest.mark.parametrize(
    ("event", "mark", "outdated"),
    [
        # seconds and version of the event, then of the mark
        ((0, None), (0, None), False),
        ((1, None), (0, None), False),
        ((0, None), (1, None), True),
        ((0, 2), (9, 1), False),
        ((9, 1), (0, 2), True),
        ((9, 2), (0, 2), True),
        # if one has no version, times decide
        ((0, 9), (1, None), True),
        ((1, 1), (0, None), False),
        ((0, None), (1, 1), True),
        ((1, None), (0, 9), False),
        ((0, None), (0, 1), False),
    ],
)
def test_versions_decide_if_both_have_one_and_times_otherwise(
    event: tuple[int, int | None], mark: tuple[int, int | None], *, outdated: bool
) -> None:
    assert is_outdated(stamp(*event), mark_of(stamp(*mark))) is outdated


def stamp(seconds: int, version: int | None) -> Stamp:
    return Stamp(NOW + seconds * SECOND, version)


@pytest.mark.parametrize(
    ("event", "applied", "outdated"),
    [
        # the version is higher, but an event without one is newer
        ((3, 2), [(1, 1), (5, None)], True),
        ((3, 2), [(5, None), (1, 1)], True),
        # its time says that it is newer than what has no version
        ((5, 2), [(1, 1), (3, None)], False),
        ((3, 2), [(9, 1), (1, None)], False),
        # a version that came before is outdated whatever came since
        ((9, 1), [(1, 1), (5, None)], True),
        ((9, 1), [(1, 2), (5, None), (6, None)], True),
        # what has no version is compared with the newest of all
        ((3, None), [(5, 1), (1, None)], True),
        ((5, None), [(3, 1), (1, None)], False),
    ],
)
def test_events_with_and_without_a_version_outdate_each_other_by_their_times(
    event: tuple[int, int | None], applied: list[tuple[int, int | None]], *, outdated: bool
) -> None:
    assert is_outdated(stamp(*event), mark_of(*(stamp(*one) for one in applied))) is outdated


def test_without_versions_all_events_are_compared_by_their_times() -> None:
    mark = Mark(NOW, 9, NOW - 5 * SECOND).without_version()

    assert is_outdated(stamp(-1, 10), mark)
    assert not is_outdated(stamp(1, 1), mark)
    assert is_outdated(stamp(-1, 10), advanced(stamp(1, 1), mark))


def test_without_a_mark_nothing_is_outdated() -> None:
    assert not is_outdated(Stamp(NOW - timedelta(days=9000), 1), None)


@given(event=stamps, mark=marks)
def test_a_mark_never_decreases(event: Stamp, mark: Mark | None) -> None:
    after = advanced(event, mark)

    assert after.occurred_at >= event.occurred_at
    assert event.version is None or (after.version or 0) >= event.version
    if mark is not None:
        assert after.occurred_at >= mark.occurred_at
        assert (after.version or 0) >= (mark.version or 0)
        assert mark.newest_unversioned is None or (
            after.newest_unversioned and after.newest_unversioned >= mark.newest_unversioned
        )


@given(event=stamps, mark=marks, more=st.lists(stamps, max_size=4))
def test_what_is_outdated_stays_outdated(
    event: Stamp, mark: Mark | None, more: list[Stamp]
) -> None:
    if is_outdated(event, mark):
        for one in more:
            mark = advanced(one, mark)
        assert is_outdated(event, mark)


@given(first=stamps, second=stamps, mark=marks)
def test_the_mark_does_not_depend_on_the_order(
    first: Stamp, second: Stamp, mark: Mark | None
) -> None:
    assert advanced(second, advanced(first, mark)) == advanced(first, advanced(second, mark))


@given(event=stamps, later=stamps)
def test_an_event_with_a_version_is_outdated_after_it_was_applied(
    event: Stamp, later: Stamp
) -> None:
    mark = mark_of(event, later)

    assert event.version is None or is_outdated(event, mark)


@pytest.mark.parametrize(
    ("event", "last", "outdated"),
    [
        ("12:00:00", "12:00:00.300000", False),
        ("12:00:00", "12:00:00.999999", False),
        ("12:00:00", "12:00:01", True),
        ("12:00:00.100000", "12:00:00.300000", True),
        ("12:00:00.300000", "12:00:00", False),
        ("11:59:59.999999", "12:00:00", True),
    ],
)
def test_a_time_of_a_whole_second_is_compared_at_that_precision(
    event: str, last: str, *, outdated: bool
) -> None:
    day = "2026-03-01T"
    sent, applied = (
        Stamp(datetime.fromisoformat(f"{day}{clock}+00:00")) for clock in (event, last)
    )

    assert is_outdated(sent, mark_of(applied)) is outdated
