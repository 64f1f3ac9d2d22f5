"""The payments of a batch: each is counted once and in order, also after a crash."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import pytest

from scheduler.messaging.message import Message
from scheduler.payments.failure import MAX_COUNT, CountPostponedError, CountRefusedError, Failure
from scheduler.payments.ledger import Counted, PaymentLedger
from tests.support.counter import FakeCounter
from tests.support.deciding import parsed
from tests.support.events import message
from tests.support.world import MINUTE, NOW


def failure(id_: str, user_id: str = "u1", at: datetime | None = None) -> Message:
    return message("billing.payment_failed", id=id_, userId=user_id, at=at)


def apply(messages: Iterable[Message], counter: FakeCounter) -> Counted:
    return PaymentLedger(counter).apply([parsed(one) for one in messages], NOW)


def counts(messages: Iterable[Message], counter: FakeCounter | None = None) -> list[int]:
    return list(apply(messages, counter or FakeCounter()).counts.values())


def test_failures_of_one_user_are_counted_in_order() -> None:
    counted = apply(map(failure, "abc"), FakeCounter())

    assert counted.counts == {
        "scheduler.billing-payment-failed:a": 1,
        "scheduler.billing-payment-failed:b": 2,
        "scheduler.billing-payment-failed:c": 3,
    }


def test_recounted_batch_has_the_same_counts() -> None:
    counter = FakeCounter()
    first = counts(map(failure, "abc"), counter)

    assert counts(map(failure, "abc"), counter) == first == [1, 2, 3]
    assert counter.current("u1", NOW) == 3


def test_partly_counted_batch_continues_where_it_stopped() -> None:
    counter = FakeCounter()
    counts(map(failure, "ab"), counter)

    assert counts(map(failure, "abcd"), counter) == [1, 2, 3, 4]


def test_retried_part_of_a_batch_has_the_same_counts() -> None:
    ledger = PaymentLedger(FakeCounter())
    batch = [parsed(failure(id_)) for id_ in "abc"]
    whole = ledger.apply(batch, NOW)

    parts = [ledger.apply(part, NOW) for part in (batch, batch[:2], batch[2:])]

    assert [part.counts[one.key] for part in parts for one in batch] == [1, 2, 3] * 3
    assert whole == parts[0]


def test_redelivered_failure_takes_a_reset_in_between_into_account() -> None:
    """Otherwise a user who has paid in between would lose all devices for one failure."""
    counter = FakeCounter()
    ledger = PaymentLedger(counter)
    counts([failure("a", at=NOW - 2 * MINUTE), failure("b", at=NOW - 2 * MINUTE)], counter)
    third = failure("c", at=NOW)
    assert list(ledger.apply([parsed(third)], NOW).counts.values()) == [3]

    counter.reset("u1", NOW - MINUTE, NOW)

    assert list(ledger.apply([parsed(third)], NOW).counts.values()) == [1]


def test_refused_failure_is_counted_on_the_next_attempt() -> None:
    class RefusingOnce(FakeCounter):
        asked = 0

        def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
            self.asked += 1
            if self.asked == 1:
                raise CountRefusedError("malformed")
            return super().count(user_id, message_id, at, now)

    ledger = PaymentLedger(RefusingOnce())
    batch = [parsed(failure("a"))]

    assert ledger.apply(batch, NOW).refused
    assert list(ledger.apply(batch, NOW).counts.values()) == [1]


class Throttling(FakeCounter):
    """A table whose partition with the item of u1 has no capacity."""

    throttles = True

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        if self.throttles and user_id == "u1":
            raise CountPostponedError("slow down")
        return super().count(user_id, message_id, at, now)


def test_throttled_user_waits_and_others_are_counted() -> None:
    ledger = PaymentLedger(Throttling())
    batch = [
        parsed(failure(id_, user)) for user in ("u1", "u2") for id_ in (f"{user}-a", f"{user}-b")
    ]

    counted = ledger.apply(batch, NOW)

    assert list(counted.postponed) == [one.key for one in batch[:2]]
    assert [counted.counts.get(one.key) for one in batch] == [None, None, 1, 2]


def test_throttled_failures_are_counted_once_when_redelivered() -> None:
    counter = Throttling()
    ledger = PaymentLedger(counter)
    batch = [
        parsed(failure(id_, user)) for user in ("u1", "u2") for id_ in (f"{user}-a", f"{user}-b")
    ]
    ledger.apply(batch, NOW)
    counter.throttles = False

    again = ledger.apply(batch, NOW)

    assert [again.counts[one.key] for one in batch] == [1, 2, 1, 2]
    assert not again.postponed
    assert counter.current("u2", NOW) == 2


def test_what_follows_a_throttled_failure_of_the_user_waits_too() -> None:
    class ThrottlingOnce(Throttling):
        def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
            try:
                return super().count(user_id, message_id, at, now)
            finally:
                self.throttles = False

    counter = ThrottlingOnce()

    counted = apply(map(failure, "ab"), counter)

    assert len(counted.postponed) == 2
    assert counter.current("u1", NOW) == 0


def test_counts_include_earlier_failures() -> None:
    counter = FakeCounter()
    counts([failure("earlier")], counter)

    assert counts(map(failure, "ab"), counter) == [2, 3]
    assert counts(map(failure, "ab"), counter) == [2, 3]


def test_users_counted_in_parallel_have_separate_counts() -> None:
    users = [f"u{n}" for n in range(40)]
    batch = [failure(f"{user}-{n}", user) for n in range(3) for user in users]
    counter = FakeCounter()

    counted = apply(batch, counter)

    assert {counter.current(user, NOW) for user in users} == {3}
    assert sorted(counted.counts.values()) == [1] * 40 + [2] * 40 + [3] * 40


@pytest.mark.parametrize("event_type", ["billing.payment_success", "billing.recharged"])
def test_reset_supersedes_older_failures(event_type: str) -> None:
    counter = FakeCounter()
    counts(map(failure, "ab"), counter)

    reset = apply([message(event_type)], counter)
    late = apply([failure("late", at=NOW - MINUTE), failure("new", at=NOW + MINUTE)], counter)

    assert list(reset.left.values()) == [0]
    assert reset == Counted(left=reset.left)
    assert late.superseded == {"scheduler.billing-payment-failed:late"}
    assert list(late.counts.values()) == [1]


def test_refused_failure_does_not_affect_the_others() -> None:
    class Refusing(FakeCounter):
        def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
            if message_id.endswith(":b"):
                raise CountRefusedError("no room")
            return super().count(user_id, message_id, at, now)

    counted = apply(map(failure, "abc"), Refusing())

    assert counted.refused == {"scheduler.billing-payment-failed:b": "no room"}
    assert list(counted.counts.values()) == [1, 2]


def test_unavailable_counter_raises() -> None:
    class UnavailableCounter(FakeCounter):
        def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
            raise ConnectionError(user_id, message_id, at, now)

    with pytest.raises(ConnectionError):
        apply(map(failure, "abc"), UnavailableCounter())


# -- many users in one transaction --


class RecordingCounter(FakeCounter):
    """A counter that records which users were counted together, and leaves some out."""

    def __init__(self, *left_out: str) -> None:
        super().__init__()
        self.together: list[list[str]] = []
        self._left_out = left_out

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        self.together.append([failure.user_id for failure in failures])
        taken = [failure for failure in failures if failure.user_id not in self._left_out]
        return super().count_together(taken, now)


def users(number: int) -> list[str]:
    return [f"u{n}" for n in range(number)]


def test_users_with_one_failure_are_counted_together_in_hundreds() -> None:
    counter = RecordingCounter()

    assert counts([failure(f"of-{user}", user) for user in users(250)], counter) == [1] * 250
    assert sorted(map(len, counter.together)) == [50, 100, 100]


def test_few_users_are_counted_one_by_one() -> None:
    counter = RecordingCounter()

    assert counts([failure(f"of-{user}", user) for user in users(4)], counter) == [1] * 4
    assert counter.together == []


def test_failures_of_one_user_are_counted_together_in_order() -> None:
    counter = RecordingCounter()

    assert counts([failure(f"m{n}", "u1") for n in range(50)], counter) == list(range(1, 51))
    assert counter.together == [["u1"] * 50]


def test_batch_that_is_counted_together_again_has_the_same_counts() -> None:
    counter = RecordingCounter()
    batch = [failure(f"m{n}", "u1") for n in range(6)]

    assert counts(batch, counter) == counts(batch, counter) == list(range(1, 7))
    assert len(counter.together) == 2


def test_user_who_also_paid_is_counted_in_order() -> None:
    counter = RecordingCounter()
    batch = [failure(f"of-{user}", user) for user in users(6)]
    paid = message("billing.payment_success", id="paid", userId="u5", at=NOW + MINUTE)

    apply([*batch, paid, failure("another", "u5", NOW + 2 * MINUTE)], counter)

    assert counter.together == [users(5)]
    assert counter.current("u5", NOW) == 1


def test_counts_at_the_maximum_are_kept() -> None:
    counter = RecordingCounter()
    counts([failure(f"m{n}") for n in range(MAX_COUNT)], counter)

    assert counts([failure(f"more-{n}") for n in range(5)], counter) == [MAX_COUNT] * 5


def test_user_who_was_left_out_is_counted_alone() -> None:
    counter = RecordingCounter("u1", "u3")

    assert counts([failure(f"of-{user}", user) for user in users(6)], counter) == [1] * 6
    assert [counter.current(user, NOW) for user in users(6)] == [1] * 6


def test_superseded_failure_among_many_is_reported() -> None:
    counter = RecordingCounter()
    counter.reset("u0", NOW + MINUTE, NOW)

    counted = apply([failure(f"of-{user}", user) for user in users(6)], counter)

    assert counted.superseded == {"scheduler.billing-payment-failed:of-u0"}
    assert len(counted.counts) == 5
