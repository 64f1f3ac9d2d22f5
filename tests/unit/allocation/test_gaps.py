"""The earliest_gap gap in a device's calendar."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.reservation import Slot, earliest_gap
from tests.support.world import MINUTE, NOW


def slot(start: int, end: int) -> Slot:
    return Slot(NOW + start * MINUTE, NOW + end * MINUTE)


slots = st.tuples(st.integers(-50, 50), st.integers(1, 30)).map(lambda one: slot(one[0], sum(one)))


def test_an_empty_calendar_has_a_gap_at_once() -> None:
    assert earliest_gap([], slot(0, 10)) == NOW


def test_a_slot_may_touch_what_is_before_and_after_it() -> None:
    assert earliest_gap([slot(-10, 0), slot(10, 20)], slot(0, 10)) == NOW


def test_a_gap_that_is_too_short_is_passed_over() -> None:
    assert earliest_gap([slot(20, 30), slot(0, 15)], slot(0, 10)) == NOW + 30 * MINUTE


@given(busy=st.lists(slots), wanted=slots)
def test_the_gap_is_free_and_none_before_it_is(busy: list[Slot], wanted: Slot) -> None:
    def is_free(minute: int) -> bool:
        start = wanted.start + minute * MINUTE
        return not any(one.start < start + wanted.length and one.end > start for one in busy)

    found = (earliest_gap(busy, wanted) - wanted.start) // MINUTE

    assert [is_free(minute) for minute in range(found + 1)] == [False] * found + [True]
