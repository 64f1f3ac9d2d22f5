"""When a provider is left alone, and for how long."""

from datetime import timedelta

from notification_dispatch.breaker import (
    FAILURES,
    OUTAGE_PAUSE,
    THROTTLE_PAUSE,
    THROTTLES,
    Breaker,
)
from scheduler.outbox.retry_policy import ErrorClass
from tests.support.clock import Clock


def failing(times: int, clock: Clock) -> Breaker:
    breaker = Breaker(clock.monotonic)
    for _ in range(times):
        breaker.note(ErrorClass.TRANSIENT)
    return breaker


def test_single_failures_stop_nothing() -> None:
    assert failing(FAILURES - 1, Clock()).pause == 0


def test_several_in_a_row_do_for_a_while() -> None:
    breaker = failing(FAILURES, Clock())

    assert breaker.pause == OUTAGE_PAUSE
    assert breaker.doubtful


def test_after_the_pause_one_delivery_decides() -> None:
    clock = Clock()
    breaker = failing(FAILURES, clock)

    clock.wait(timedelta(seconds=OUTAGE_PAUSE))

    assert breaker.pause == 0
    assert breaker.doubtful
    breaker.note(ErrorClass.TRANSIENT)
    assert breaker.pause == OUTAGE_PAUSE


def test_what_is_accepted_ends_the_doubt() -> None:
    clock = Clock()
    breaker = failing(FAILURES, clock)
    clock.wait(timedelta(seconds=OUTAGE_PAUSE))

    breaker.note(None)

    assert not breaker.doubtful


def test_a_lasting_refusal_shows_that_the_provider_works() -> None:
    breaker = failing(FAILURES - 1, Clock())

    breaker.note(ErrorClass.PERMANENT)
    breaker.note(ErrorClass.TRANSIENT)

    assert breaker.pause == 0


def test_throttling_slows_down_for_a_second() -> None:
    breaker = Breaker(Clock().monotonic)

    for _ in range(THROTTLES * 2):  # all under way at once
        breaker.note(ErrorClass.THROTTLED)

    assert breaker.pause == THROTTLE_PAUSE
    assert not breaker.doubtful


def test_a_provider_that_takes_nothing_but_throttles_is_out() -> None:
    clock = Clock()
    breaker = Breaker(clock.monotonic)

    for _ in range(THROTTLES):
        breaker.note(ErrorClass.THROTTLED)
        clock.wait(timedelta(seconds=THROTTLE_PAUSE))

    assert breaker.doubtful
    assert breaker.pause == OUTAGE_PAUSE - THROTTLE_PAUSE


def test_busy_recipients_leave_the_provider_alone_for_nobody() -> None:
    breaker = Breaker(Clock().monotonic)

    for _ in range(THROTTLES * FAILURES):
        breaker.note(ErrorClass.RECIPIENT_BUSY)

    assert breaker.pause == 0
    assert not breaker.doubtful
