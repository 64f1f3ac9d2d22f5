"""What a counter of failed payments promises; the one in memory is held to it as well."""

from datetime import datetime, timedelta

import pytest

from tests.integration.payments.conftest import Readable
from tests.support.world import MINUTE, NOW, SECOND

TTL = timedelta(days=7)


def fail(
    counter: Readable, id_: str, at: datetime = NOW, now: datetime = NOW, user_id: str = "u1"
) -> int | None:
    return counter.count(user_id, id_, at, now)


def test_each_failure_counts_one_more(counter: Readable) -> None:
    assert [fail(counter, id_) for id_ in "abc"] == [1, 2, 3]
    assert counter.current("u1", NOW) == 3


def test_users_are_counted_apart(counter: Readable) -> None:
    assert [fail(counter, "a", user_id=user_id) for user_id in ("u1", "u2", "用户 😀")] == [1, 1, 1]


def test_nobody_has_failed_before_the_first_failure(counter: Readable) -> None:
    assert counter.current("nobody", NOW) == 0


def test_the_same_failure_counts_once_whenever_it_comes_again(counter: Readable) -> None:
    assert [fail(counter, id_) for id_ in "aba"] == [1, 2, 2]
    assert fail(counter, "a", now=NOW + TTL - SECOND) == 2
    assert counter.current("u1", NOW) == 2


def test_failures_out_of_order_all_count(counter: Readable) -> None:
    times = [NOW, NOW - 3 * MINUTE, NOW - MINUTE, NOW + MINUTE]

    assert [fail(counter, str(at), at) for at in times] == [1, 2, 3, 4]


# -- resets ------------------------------------------------------------------------


def test_a_reset_forgets_what_was_before_it(counter: Readable) -> None:
    fail(counter, "a", NOW - 2 * MINUTE)
    fail(counter, "b", NOW - MINUTE)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0
    assert fail(counter, "c", NOW + MINUTE) == 1


def test_a_reset_of_somebody_who_never_failed_is_remembered(counter: Readable) -> None:
    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 0
    assert fail(counter, "late", NOW - SECOND) is None


def test_a_failure_older_than_a_reset_that_came_first_never_counts(counter: Readable) -> None:
    counter.reset("u1", NOW, NOW)

    assert fail(counter, "late", NOW - MINUTE) is None
    assert fail(counter, "late", NOW - MINUTE) is None
    assert counter.current("u1", NOW) == 0
    assert fail(counter, "same instant", NOW) == 1


def test_a_failure_that_a_reset_forgot_does_not_come_back(counter: Readable) -> None:
    fail(counter, "a", NOW - MINUTE)
    counter.reset("u1", NOW, NOW)

    assert fail(counter, "a", NOW - MINUTE) is None
    assert counter.current("u1", NOW) == 0


def test_a_reset_between_two_failures_forgets_the_first_whenever_it_comes(
    counter: Readable,
) -> None:
    fail(counter, "a", NOW - 2 * MINUTE)
    fail(counter, "b", NOW)

    counter.reset("u1", NOW - MINUTE, NOW)
    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 1
    assert fail(counter, "a", NOW - 2 * MINUTE) is None
    assert fail(counter, "b", NOW) == 1
    assert fail(counter, "c", NOW + MINUTE) == 2


def test_a_reset_older_than_all_failures_undoes_nothing(counter: Readable) -> None:
    fail(counter, "a", NOW)
    fail(counter, "b", NOW + MINUTE)

    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 2


def test_the_order_in_which_failures_were_counted_does_not_matter_to_a_reset(
    counter: Readable,
) -> None:
    fail(counter, "new", NOW)
    fail(counter, "old", NOW - 5 * MINUTE)

    counter.reset("u1", NOW - MINUTE, NOW)

    assert counter.current("u1", NOW) == 1


def test_an_older_reset_after_a_newer_one_changes_nothing(counter: Readable) -> None:
    counter.reset("u1", NOW, NOW)
    counter.reset("u1", NOW - 5 * MINUTE, NOW)

    assert fail(counter, "late", NOW - MINUTE) is None


def test_a_reset_may_come_twice(counter: Readable) -> None:
    fail(counter, "a", NOW - MINUTE)
    counter.reset("u1", NOW, NOW)
    fail(counter, "b", NOW + MINUTE)

    counter.reset("u1", NOW, NOW)

    assert counter.current("u1", NOW) == 1


# -- expiry: nothing deletes the item in time ----------------------------------------------


@pytest.mark.parametrize(("age", "count"), [(TTL - SECOND, 1), (TTL, 0), (TTL + SECOND, 0)])
def test_a_count_lives_for_seven_days(counter: Readable, age: timedelta, count: int) -> None:
    fail(counter, "a")

    assert counter.current("u1", NOW + age) == count


def test_after_it_expired_the_count_starts_anew(counter: Readable) -> None:
    fail(counter, "a")
    fail(counter, "b")
    later = NOW + TTL

    assert fail(counter, "c", later, later) == 1
    assert counter.current("u1", later) == 1


def test_each_failure_renews_the_seven_days(counter: Readable) -> None:
    fail(counter, "a")
    almost = NOW + TTL - SECOND
    fail(counter, "b", almost, almost)

    assert counter.current("u1", almost + TTL - SECOND) == 2


def test_the_days_begin_when_a_failure_is_counted_not_when_it_happened(counter: Readable) -> None:
    fail(counter, "late", NOW - TTL)

    assert counter.current("u1", NOW) == 1


def test_the_marker_of_a_reset_expires_as_well(counter: Readable) -> None:
    counter.reset("u1", NOW, NOW)
    later = NOW + TTL

    assert fail(counter, "a", NOW - MINUTE, later) == 1


def test_an_expired_count_is_no_obstacle_to_a_reset(counter: Readable) -> None:
    fail(counter, "a", NOW + MINUTE)
    later = NOW + TTL

    counter.reset("u1", NOW, later)

    assert fail(counter, "b", NOW - SECOND, later) is None
