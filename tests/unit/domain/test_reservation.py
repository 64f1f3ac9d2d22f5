"""Reservations: their allocation, and the earliest gap in the plan of a device."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.quota import Requirements
from scheduler.domain.reservation import Reservation, ReservationStatus, Slot, earliest_gap
from tests.support.world import MINUTE, NOW


def slot(start: int, end: int) -> Slot:
    return Slot(NOW + start * MINUTE, NOW + end * MINUTE)


slots = st.tuples(st.integers(-50, 50), st.integers(1, 30)).map(lambda one: slot(one[0], sum(one)))


def test_without_reservations_the_gap_starts_with_the_slot() -> None:
    assert earliest_gap([], slot(0, 10)) == NOW


def test_a_gap_may_be_adjacent_to_other_slots() -> None:
    assert earliest_gap([slot(-10, 0), slot(10, 20)], slot(0, 10)) == NOW


def test_a_gap_that_is_too_short_is_skipped() -> None:
    assert earliest_gap([slot(20, 30), slot(0, 15)], slot(0, 10)) == NOW + 30 * MINUTE


@given(busy=st.lists(slots), requested=slots)
def test_the_gap_is_free_and_is_the_earliest(busy: list[Slot], requested: Slot) -> None:
    def is_free(minute: int) -> bool:
        start = requested.start + minute * MINUTE
        return not any(one.start < start + requested.length and one.end > start for one in busy)

    found = (earliest_gap(busy, requested) - requested.start) // MINUTE

    assert [is_free(minute) for minute in range(found + 1)] == [False] * found + [True]


@pytest.mark.parametrize("status", ReservationStatus)
def test_only_a_started_reservation_has_an_allocation(status: ReservationStatus) -> None:
    made = Reservation("r1", "u1", "d1", slot(0, 10), Requirements(), status, NOW)

    expected = "r1" if status is ReservationStatus.STARTED else None
    assert made.allocation_id == expected
