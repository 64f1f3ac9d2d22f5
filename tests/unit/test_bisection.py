"""Bisection: bad items are isolated, and all others succeed."""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.bisection import bisect

if TYPE_CHECKING:
    from collections.abc import Sequence

Result: TypeAlias = tuple[str, list[int]]


class BadItemError(Exception):
    """Some item of an attempt is bad."""


class OutageError(Exception):
    """No attempt can succeed now."""


class Attempts:
    """Applies parts, except those that contain a bad item."""

    def __init__(self, bad: set[int]) -> None:
        self.bad = bad
        self.count = 0
        self.applied: list[int] = []

    def __call__(self, part: Sequence[int]) -> Result:
        self.count += 1
        if self.bad & set(part):
            raise BadItemError
        self.applied += part
        return "applied", list(part)


def give_up(item: int, error: Exception) -> Result:
    assert isinstance(error, BadItemError)
    return "failed", [item]


def items_of(kind: str, results: list[Result]) -> list[int]:
    return [item for name, items in results for item in items if name == kind]


@given(size=st.integers(1, 100), bad=st.sets(st.integers(0, 99)))
def test_exactly_the_bad_items_fail_and_all_others_are_applied_once(
    size: int, bad: set[int]
) -> None:
    attempts = Attempts(bad)

    results = list(bisect(range(size), attempts, give_up))

    assert items_of("failed", results) == sorted(bad & set(range(size)))
    assert attempts.applied == sorted(set(range(size)) - bad)
    assert items_of("applied", results) == attempts.applied
    assert [item for _, items in results for item in items] == list(range(size))


@given(size=st.integers(1, 1000), data=st.data())
def test_a_single_bad_item_is_isolated_in_a_logarithmic_number_of_attempts(
    size: int, data: st.DataObject
) -> None:
    attempts = Attempts({data.draw(st.integers(0, size - 1))})

    list(bisect(range(size), attempts, give_up))

    assert attempts.count <= 1 + 2 * ceil(log2(size))


@given(size=st.integers(1, 100))
def test_without_bad_items_there_is_one_attempt(size: int) -> None:
    attempts = Attempts(set())

    assert list(bisect(range(size), attempts, give_up)) == [("applied", list(range(size)))]
    assert attempts.count == 1


@given(size=st.integers(1, 100), bad=st.sets(st.integers(0, 99)), data=st.data())
def test_an_error_that_no_item_causes_is_raised_by_the_attempt_that_meets_it(
    size: int, bad: set[int], data: st.DataObject
) -> None:
    attempts = Attempts(bad)
    last_attempt = data.draw(st.integers(1, 20))

    def attempt(part: Sequence[int]) -> Result:
        if attempts.count + 1 == last_attempt:
            attempts.count += 1
            raise OutageError
        return attempts(part)

    results: list[Result] = []
    try:
        results.extend(bisect(range(size), attempt, give_up, _is_bad_item))
    except OutageError:
        assert attempts.count == last_attempt
    else:
        assert attempts.count < last_attempt

    assert items_of("applied", results) == attempts.applied
    assert set(items_of("failed", results)) <= bad


def test_an_error_of_giving_up_is_raised() -> None:
    def fail(_item: int, error: Exception) -> Result:
        raise error

    with pytest.raises(BadItemError):
        list(bisect(range(4), Attempts({2}), fail))


def test_later_parts_are_attempted_only_when_their_results_are_requested() -> None:
    attempts = Attempts({3})
    results = bisect(range(4), attempts, give_up)

    assert next(results) == ("applied", [0, 1])
    assert attempts.applied == [0, 1]
    assert next(results) == ("applied", [2])


def _is_bad_item(error: Exception) -> bool:
    return isinstance(error, BadItemError)
