"""When a delivery is sent, retried, postponed or given up."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from scheduler.aws_errors import ErrorClass
from scheduler.domain.notices import Channel
from scheduler.notification.preferences import QuietHours
from scheduler.outbox.delivery import DeliveryOutcome, DeliveryResult
from scheduler.outbox.retry_policy import (
    MAX_ATTEMPTS,
    ProviderError,
    check_before_sending,
    outcome_of,
    retry_delay,
)
from tests.support.deliveries import REACHABLE, delivery
from tests.support.world import NOW, SECOND

IN_QUIET_HOURS = replace(REACHABLE, quiet_hours=QuietHours(time(11), time(13), "UTC"))
OUTAGE = timedelta(minutes=5)
DAY = timedelta(days=1)


# -- before sending ------------------------------------------------------------------


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_email_and_sms_are_postponed_to_the_end_of_quiet_hours(channel: Channel) -> None:
    result = check_before_sending(delivery(channel, recipient=IN_QUIET_HOURS), NOW)

    assert result
    assert result.outcome is DeliveryOutcome.POSTPONED
    assert result.due_at == NOW + timedelta(hours=1)


def test_websocket_deliveries_ignore_quiet_hours() -> None:
    pushed = delivery(Channel.WEBSOCKET, recipient=IN_QUIET_HOURS)

    assert check_before_sending(pushed, NOW) is None


@pytest.mark.parametrize("channel", Channel)
def test_account_critical_deliveries_ignore_quiet_hours(channel: Channel) -> None:
    urgent = delivery(channel, recipient=IN_QUIET_HOURS, urgent=True)

    assert check_before_sending(urgent, NOW) is None


def test_outside_quiet_hours_a_delivery_is_sent() -> None:
    after = NOW + timedelta(hours=1)

    assert check_before_sending(delivery(recipient=IN_QUIET_HOURS), after) is None


def test_delivery_older_than_a_day_fails_without_an_attempt() -> None:
    result = check_before_sending(delivery(created_at=NOW - DAY - SECOND), NOW)

    assert result
    assert (result.outcome, result.detail) == (DeliveryOutcome.FAILED, "not sent within a day")


def test_delivery_that_is_a_day_old_is_sent_and_retried() -> None:
    assert check_before_sending(delivery(created_at=NOW - DAY), NOW) is None
    assert result_of(ErrorClass.TRANSIENT, age=DAY).outcome is DeliveryOutcome.RETRIED


# -- after an error ------------------------------------------------------------------


def result_of(
    error_class: ErrorClass, attempts: int = 0, age: timedelta = timedelta(0)
) -> DeliveryResult:
    error = ProviderError(error_class, "SomeCode: some text")
    return outcome_of(error, delivery(attempts=attempts, created_at=NOW - age), NOW, lambda: 0.5)


def test_permanent_error_fails_at_once() -> None:
    result = result_of(ErrorClass.PERMANENT)

    assert (result.outcome, result.detail) == (DeliveryOutcome.FAILED, "SomeCode: some text")


def test_transient_errors_are_retried_with_growing_delays() -> None:
    due = [result_of(ErrorClass.TRANSIENT, attempts).due_at for attempts in range(MAX_ATTEMPTS - 1)]

    assert [(at - NOW).total_seconds() for at in due if at] == [22.5, 45, 90, 180, 360]


@pytest.mark.parametrize("error_class", [ErrorClass.TRANSIENT, ErrorClass.RECIPIENT_BUSY])
def test_sixth_failure_is_final(error_class: ErrorClass) -> None:
    assert result_of(error_class, MAX_ATTEMPTS - 2).outcome is DeliveryOutcome.RETRIED
    assert result_of(error_class, MAX_ATTEMPTS - 1).outcome is DeliveryOutcome.FAILED


@pytest.mark.parametrize("jitter", [0.0, 0.5, 1.0])
def test_outage_of_five_minutes_does_not_use_up_the_attempts(jitter: float) -> None:
    delays = [retry_delay(failures, lambda: jitter) for failures in range(1, MAX_ATTEMPTS)]

    assert sum(delays, timedelta(0)) > OUTAGE


def test_retry_delay_is_half_random() -> None:
    assert retry_delay(1, lambda: 0.0) == 15 * SECOND
    assert retry_delay(1, lambda: 1.0) == 30 * SECOND


def test_throttling_counts_no_attempt() -> None:
    result = result_of(ErrorClass.THROTTLED, MAX_ATTEMPTS - 1)

    assert result.outcome is DeliveryOutcome.POSTPONED
    assert result.due_at == NOW + 5 * SECOND  # half of ten


@pytest.mark.parametrize("error_class", ErrorClass)
def test_no_error_is_retried_after_a_day(error_class: ErrorClass) -> None:
    result = result_of(error_class, age=DAY + SECOND)

    assert result.outcome is DeliveryOutcome.FAILED
