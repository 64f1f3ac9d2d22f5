"""The behaviour of a counter of failed payments, tested on DynamoDB and on the fake."""

from datetime import datetime, timedelta

import pytest

from scheduler.payments.failure import MAX_COUNT, Failure
from tests.integration.payments.conftest import ReadableCounter
from tests.support.world import MINUTE, NOW, SECOND

TTL = timedelta(days=7)


def fail(
    counter: ReadableCounter, id_: str, at: datetime = NOW, now: datetime = NOW, user_id: str = "u1"
) -> int | None:
    return counter.count(user_id, id_, at, now)


def test_each_failure_increments_the_count(counter: ReadableCounter) -> None:
    assert [fail(counter, id_) for id_ in "abc"] == [1, 2, 3]
    assert counter.current("u1", NOW) == 3


def test_count_stops_at_its_maximum(counter: ReadableCounter) -> None:
    counter.count_together([Failure("u1", f"m{n}", NOW) for n in range(MAX_COUNT)], NOW)

    assert fail(counter, "one-more") == MAX_COUNT
    assert counter.count_together([Failure("u1", "two-more", NOW)], NOW) == {"two-more": MAX_COUNT}
    assert counter.current("u1", NOW) == MAX_COUNT


@pytest.mark.parametrize("together", [True, False])
def test_reset_between_many_failures_keeps_those_after_it(
    counter: ReadableCounter, *, together: bool
) -> None:
    """Whatever comes after the hundredth failure is newer than the reset that arrives late."""
    old = [Failure("u1", f"old-{n}", NOW - n * SECOND) for n in range(1, MAX_COUNT)]
    new = [Failure("u1", f"new-{n}", NOW + n * SECOND) for n in range(1, 4)]
    counter.count_together(old, NOW)
    for part in [new] if together else [[one] for one in new]:
        counted = counter.count_together(part, NOW) if together else {}
        counts = [counted.get(one.message_id, 0) or counter.count(*one, NOW) for one in part]
        assert counts == [MAX_COUNT] * len(part)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 3
    assert fail(counter, "new-2", NOW + 2 * SECOND) == 3
    assert fail(counter, "old-9", NOW - 9 * SECOND) is None


def test_failure_older_than_a_hundred_others_changes_nothing(counter: ReadableCounter) -> None:
    counter.count_together([Failure("u1", f"m{n}", NOW) for n in range(MAX_COUNT)], NOW)

    assert fail(counter, "older", NOW - MINUTE) == MAX_COUNT

    counter.reset("u1", NOW - MINUTE, NOW)
    assert counter.current("u1", NOW) == MAX_COUNT


def test_users_have_separate_counts(counter: ReadableCounter) -> None:
    assert [fail(counter, "a", user_id=user_id) for user_id in ("u1", "u2", "用户 😀")] == [1, 1, 1]


def test_count_of_an_unknown_user_is_zero(counter: ReadableCounter) -> None:
    assert counter.current("nobody", NOW) == 0


def test_repeated_failure_is_counted_once(counter: ReadableCounter) -> None:
    assert [fail(counter, id_) for id_ in "aba"] == [1, 2, 2]
    assert fail(counter, "a", now=NOW + TTL - SECOND) == 2
    assert counter.current("u1", NOW) == 2


def test_failures_out_of_order_are_all_counted(counter: ReadableCounter) -> None:
    times = [NOW, NOW - 3 * MINUTE, NOW - MINUTE, NOW + MINUTE]

    assert [fail(counter, str(at), at) for at in times] == [1, 2, 3, 4]


# -- resets --


def test_reset_forgets_earlier_failures(counter: ReadableCounter) -> None:
    fail(counter, "a", NOW - 2 * MINUTE)
    fail(counter, "b", NOW - MINUTE)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0
    assert fail(counter, "c", NOW + MINUTE) == 1


def test_reset_of_a_user_without_failures_is_remembered(counter: ReadableCounter) -> None:
    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0
    assert fail(counter, "late", NOW - SECOND) is None


def test_failure_older_than_a_reset_is_never_counted(counter: ReadableCounter) -> None:
    counter.reset("u1", NOW, NOW)

    assert fail(counter, "late", NOW - MINUTE) is None
    assert fail(counter, "late", NOW - MINUTE) is None
    assert counter.current("u1", NOW) == 0
    assert fail(counter, "same instant", NOW) == 1


def test_redelivered_failure_is_not_counted_after_a_reset(counter: ReadableCounter) -> None:
    fail(counter, "a", NOW - MINUTE)
    counter.reset("u1", NOW, NOW)

    assert fail(counter, "a", NOW - MINUTE) is None
    assert counter.current("u1", NOW) == 0


def test_late_reset_forgets_only_the_failures_before_it(
    counter: ReadableCounter,
) -> None:
    fail(counter, "a", NOW - 2 * MINUTE)
    fail(counter, "b", NOW)

    assert counter.reset("u1", NOW - MINUTE, NOW) == 1
    assert counter.reset("u1", NOW - MINUTE, NOW) == 1
    assert counter.reset("u1", NOW - 5 * MINUTE, NOW) == 1

    assert counter.current("u1", NOW) == 1
    assert fail(counter, "a", NOW - 2 * MINUTE) is None
    assert fail(counter, "b", NOW) == 1
    assert fail(counter, "c", NOW + MINUTE) == 2


def test_reset_older_than_all_failures_changes_nothing(counter: ReadableCounter) -> None:
    fail(counter, "a", NOW)
    fail(counter, "b", NOW + MINUTE)

    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 2


def test_reset_does_not_depend_on_the_order_of_counting(
    counter: ReadableCounter,
) -> None:
    fail(counter, "new", NOW)
    fail(counter, "old", NOW - 5 * MINUTE)

    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 1


def test_older_reset_after_a_newer_one_changes_nothing(counter: ReadableCounter) -> None:
    counter.reset("u1", NOW, NOW)
    counter.reset("u1", NOW - 5 * MINUTE, NOW)

    assert fail(counter, "late", NOW - MINUTE) is None


def test_repeated_reset_changes_nothing(counter: ReadableCounter) -> None:
    fail(counter, "a", NOW - MINUTE)
    counter.reset("u1", NOW, NOW)
    fail(counter, "b", NOW + MINUTE)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 1


# -- expiry: DynamoDB deletes items late --


@pytest.mark.parametrize(("age", "count"), [(TTL - SECOND, 1), (TTL, 0), (TTL + SECOND, 0)])
def test_count_expires_after_seven_days(
    counter: ReadableCounter, age: timedelta, count: int
) -> None:
    fail(counter, "a")

    assert counter.current("u1", NOW + age) == count


def test_expired_count_restarts_at_one(counter: ReadableCounter) -> None:
    fail(counter, "a")
    fail(counter, "b")
    later = NOW + TTL

    assert fail(counter, "c", later, later) == 1
    assert counter.current("u1", later) == 1


def test_each_failure_extends_the_expiry(counter: ReadableCounter) -> None:
    fail(counter, "a")
    almost = NOW + TTL - SECOND
    fail(counter, "b", almost, almost)

    assert counter.current("u1", almost + TTL - SECOND) == 2


def test_expiry_is_counted_from_the_time_of_counting(counter: ReadableCounter) -> None:
    fail(counter, "late", NOW - TTL)

    assert counter.current("u1", NOW) == 1


def test_reset_marker_expires(counter: ReadableCounter) -> None:
    counter.reset("u1", NOW, NOW)
    later = NOW + TTL

    assert fail(counter, "a", NOW - MINUTE, later) == 1


def test_expired_count_can_be_reset(counter: ReadableCounter) -> None:
    fail(counter, "a", NOW + MINUTE)
    later = NOW + TTL

    counter.reset("u1", NOW, later)

    assert fail(counter, "b", NOW - SECOND, later) is None


# -- times of whole seconds --

PART = timedelta(milliseconds=300)


def test_reset_of_a_whole_second_forgets_the_failures_of_that_second(
    counter: ReadableCounter,
) -> None:
    fail(counter, "a", NOW + PART)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0


def test_failure_of_a_whole_second_counts_after_a_reset_of_that_second(
    counter: ReadableCounter,
) -> None:
    counter.reset("u1", NOW + PART, NOW)

    assert fail(counter, "a", NOW) == 1


def test_reset_of_a_whole_second_does_not_move_a_later_reset_back(
    counter: ReadableCounter,
) -> None:
    fail(counter, "a", NOW + PART)
    counter.reset("u1", NOW + 2 * PART, NOW)
    fail(counter, "b", NOW + 3 * PART)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0
    assert fail(counter, "c", NOW + PART) is None


def test_failure_before_the_second_of_a_reset_is_superseded(counter: ReadableCounter) -> None:
    counter.reset("u1", NOW, NOW)

    assert fail(counter, "a", NOW - SECOND) is None
