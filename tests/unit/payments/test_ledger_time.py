"""A slow DynamoDB: what the time does not suffice for is left to a later invocation."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from scheduler.deadline import Deadline
from scheduler.payments.ledger import Counted, PaymentLedger
from tests.support.deciding import parsed
from tests.support.events import message
from tests.support.slow_counter import SlowCounter
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scheduler.messaging.message import Message

SECONDS: Final = 96
"""Until the deadline of a consumer, whose timeout is 120 s."""
RESETS: Final = ("billing.payment_success", "billing.recharged")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowCounter:
    return SlowCounter(monkeypatch)


def apply(counter: SlowCounter, batch: Sequence[Message]) -> Counted:
    listed = [parsed(one) for one in batch]
    return PaymentLedger(counter).apply(listed, NOW, Deadline(SECONDS))


def test_failures_of_one_user_stop_when_half_the_time_is_gone(slow: SlowCounter) -> None:
    counted = apply(slow, [message("billing.payment_failed", id=f"m{n}") for n in range(100)])

    assert slow.now == SECONDS / 2
    assert list(counted.counts.values()) == list(range(1, len(counted.counts) + 1))
    assert len(counted.counts) + len(counted.postponed) == 100
    assert set(counted.postponed.values()) == {"no time left in this invocation"}


def test_postponed_failures_continue_the_count(slow: SlowCounter) -> None:
    batch = [message("billing.payment_failed", id=f"m{n}") for n in range(60)]
    first = apply(slow, batch)
    slow.now = 0
    rest = batch[len(first.counts) :]

    assert list(apply(slow, rest).counts.values()) == list(range(len(first.counts) + 1, 61))


@pytest.mark.parametrize("event_type", RESETS)
def test_hundred_payments_of_one_user_cost_one_reset(event_type: str, slow: SlowCounter) -> None:
    times = [NOW - n % 7 * MINUTE for n in range(100)]
    batch = [message(event_type, id=f"m{n}", at=at) for n, at in enumerate(times, 1)]

    counted = apply(slow, batch)

    assert list(counted.left.values()) == [0] * 100
    assert counted == Counted(left=counted.left)
    assert slow.resets == [NOW]


def test_resets_of_one_second_with_and_without_a_fraction_are_both_made(slow: SlowCounter) -> None:
    at = NOW.replace(microsecond=0)
    half = at.replace(microsecond=500_000)
    batch = [message(RESETS[0], id=str(n), at=time) for n, time in enumerate((at, half, at, half))]

    apply(slow, batch)

    assert sorted(slow.resets) == [at, half]


def test_failure_between_two_resets_is_counted_in_its_place(slow: SlowCounter) -> None:
    batch = [
        message(RESETS[0], id="before", at=NOW),
        message("billing.payment_failed", id="failed", at=NOW + MINUTE),
        message(RESETS[0], id="after", at=NOW + 2 * MINUTE),
    ]

    assert list(apply(slow, batch).counts.values()) == [1]
    assert slow.resets == [NOW, NOW + 2 * MINUTE]
    assert slow.current("u1", NOW) == 0


def test_reset_that_is_not_made_postpones_all_that_it_includes(slow: SlowCounter) -> None:
    slow.now = SECONDS
    batch = [message(RESETS[0], id=f"m{n}") for n in range(3)]

    assert len(apply(slow, batch).postponed) == 3
    assert slow.resets == []
