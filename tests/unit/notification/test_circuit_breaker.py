"""When sending to a provider pauses, and for how long."""

from datetime import timedelta

from notification_dispatch.circuit_breaker import (
    FAILURE_THRESHOLD,
    OUTAGE_PAUSE_SECONDS,
    THROTTLE_PAUSE_SECONDS,
    THROTTLE_THRESHOLD,
    CircuitBreaker,
)
from scheduler.aws_errors import ErrorClass
from tests.support.clock import Clock


def after_failures(number: int, clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock.monotonic)
    for user in range(number):
        breaker.record(ErrorClass.TRANSIENT, f"u{user}")
    return breaker


def test_new_breaker_does_not_pause() -> None:
    assert CircuitBreaker(lambda: 0.0).pause == 0


def test_failures_below_the_threshold_do_not_pause() -> None:
    assert after_failures(FAILURE_THRESHOLD - 1, Clock()).pause == 0


def test_consecutive_failures_trip_the_breaker() -> None:
    breaker = after_failures(FAILURE_THRESHOLD, Clock())

    assert breaker.pause == OUTAGE_PAUSE_SECONDS
    assert breaker.tripped


def test_three_failures_in_a_row_pause_for_fifteen_seconds() -> None:
    """As docs/notifications.md promises; the other tests repeat no figure."""
    assert [after_failures(number, Clock()).pause for number in (2, 3)] == [0, 15]


def test_failure_after_the_pause_starts_another_pause() -> None:
    clock = Clock()
    breaker = after_failures(FAILURE_THRESHOLD, clock)

    clock.wait(timedelta(seconds=OUTAGE_PAUSE_SECONDS))

    assert breaker.pause == 0
    assert breaker.tripped
    breaker.record(ErrorClass.TRANSIENT)
    assert breaker.pause == OUTAGE_PAUSE_SECONDS


def test_success_after_the_pause_resets_the_breaker() -> None:
    clock = Clock()
    breaker = after_failures(FAILURE_THRESHOLD, clock)
    clock.wait(timedelta(seconds=OUTAGE_PAUSE_SECONDS))

    breaker.record(None)

    assert not breaker.tripped


def test_permanent_error_resets_the_failures() -> None:
    breaker = after_failures(FAILURE_THRESHOLD - 1, Clock())

    breaker.record(ErrorClass.PERMANENT)
    for user in range(FAILURE_THRESHOLD - 1):
        breaker.record(ErrorClass.TRANSIENT, f"another{user}")

    assert breaker.pause == 0


def test_failures_of_one_user_do_not_pause_sending_to_others() -> None:
    breaker = after_failures(FAILURE_THRESHOLD - 1, Clock())

    for _ in range(FAILURE_THRESHOLD):
        breaker.record(ErrorClass.TRANSIENT, "u0")

    assert breaker.pause == 0
    assert not breaker.tripped


def test_unreachable_provider_is_an_outage_whoever_the_recipients_are() -> None:
    breaker = CircuitBreaker(Clock().monotonic)

    for _ in range(FAILURE_THRESHOLD):
        assert breaker.pause == 0
        breaker.record(ErrorClass.UNREACHABLE, "u0")

    assert breaker.pause == OUTAGE_PAUSE_SECONDS
    breaker.record(None)
    assert not breaker.tripped


def test_throttling_pauses_for_a_second() -> None:
    breaker = CircuitBreaker(Clock().monotonic)

    for _ in range(THROTTLE_THRESHOLD * 2):  # all in flight at once
        breaker.record(ErrorClass.THROTTLED)

    assert breaker.pause == 1
    assert not breaker.tripped


def test_repeated_throttling_without_a_success_is_an_outage() -> None:
    clock = Clock()
    breaker = CircuitBreaker(clock.monotonic)

    for _ in range(THROTTLE_THRESHOLD):
        breaker.record(ErrorClass.THROTTLED)
        clock.wait(timedelta(seconds=THROTTLE_PAUSE_SECONDS))

    assert breaker.tripped
    assert breaker.pause == OUTAGE_PAUSE_SECONDS - THROTTLE_PAUSE_SECONDS


def test_busy_recipients_do_not_pause_sending() -> None:
    breaker = CircuitBreaker(Clock().monotonic)

    for _ in range(THROTTLE_THRESHOLD * FAILURE_THRESHOLD):
        breaker.record(ErrorClass.RECIPIENT_BUSY)

    assert breaker.pause == 0
    assert not breaker.tripped


def test_one_missing_response_pauses_until_its_delivery_is_due_again() -> None:
    breaker = CircuitBreaker(Clock().monotonic)

    breaker.record(ErrorClass.UNCERTAIN, pause_seconds=60.0)

    assert breaker.tripped
    assert breaker.pause == 60
    breaker.record(None)
    assert not breaker.tripped
