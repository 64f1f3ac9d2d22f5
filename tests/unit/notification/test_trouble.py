"""What becomes of a delivery that a provider did not take."""

from datetime import timedelta

import pytest

from scheduler.outbox.delivery import Fate, Result
from scheduler.outbox.trouble import MAX_ATTEMPTS, TOO_LATE, ProviderError, Trouble, after, pause
from tests.support.deliveries import delivery
from tests.support.world import NOW, SECOND

OUTAGE = timedelta(minutes=5)


def fate(trouble: Trouble, attempts: int = 0, age: timedelta = timedelta(0)) -> Result:
    error = ProviderError(trouble, "SomeCode: some text")
    return after(error, delivery(attempts=attempts, created_at=NOW - age), NOW, lambda: 0.5)


def test_a_lasting_refusal_ends_it_at_once() -> None:
    result = fate(Trouble.PERMANENT)

    assert (result.fate, result.detail) == (Fate.FAILED, "SomeCode: some text")


def test_a_passing_failure_is_tried_again_later_and_later() -> None:
    waits = [fate(Trouble.TRANSIENT, attempts).due_at for attempts in range(MAX_ATTEMPTS - 1)]

    seconds = [(at - NOW).total_seconds() for at in waits if at]
    assert seconds == [22.5, 45, 90, 180, 360]


def test_the_sixth_failure_is_the_last() -> None:
    assert fate(Trouble.TRANSIENT, MAX_ATTEMPTS - 2).fate is Fate.RETRIED
    assert fate(Trouble.TRANSIENT, MAX_ATTEMPTS - 1).fate is Fate.FAILED


@pytest.mark.parametrize("luck", [0.0, 0.5, 1.0])
def test_no_outage_of_five_minutes_uses_up_the_attempts(luck: float) -> None:
    pauses = [pause(failed, lambda: luck) for failed in range(1, MAX_ATTEMPTS)]

    assert sum(pauses, timedelta(0)) > OUTAGE


def test_retries_of_many_spread() -> None:
    assert pause(1, lambda: 0.0) == 15 * SECOND
    assert pause(1, lambda: 1.0) == 30 * SECOND


def test_being_too_fast_costs_no_attempt() -> None:
    result = fate(Trouble.THROTTLED, MAX_ATTEMPTS - 1)

    assert result.fate is Fate.POSTPONED
    assert result.due_at
    assert NOW <= result.due_at <= NOW + 10 * SECOND


def test_a_busy_recipient_costs_an_attempt_so_that_it_ends() -> None:
    assert fate(Trouble.RECIPIENT_BUSY, MAX_ATTEMPTS - 2).fate is Fate.RETRIED
    assert fate(Trouble.RECIPIENT_BUSY, MAX_ATTEMPTS - 1).fate is Fate.FAILED


@pytest.mark.parametrize("trouble", Trouble)
def test_nothing_is_tried_for_longer_than_a_day(trouble: Trouble) -> None:
    assert fate(trouble, age=TOO_LATE + SECOND).fate is Fate.FAILED
