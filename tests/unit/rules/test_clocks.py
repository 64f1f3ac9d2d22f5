"""Events whose publisher's clock is wrong, coarse or missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from scheduler.domain.model import Health, UserStatus
from scheduler.pipeline.outcome import Verdict
from tests.support.counter import FakeCounter
from tests.support.deciding import parsed, run
from tests.support.events import message
from tests.support.world import HOUR, MILLISECOND, MINUTE, NOW, SECOND, device, held, user, world
from tests.unit.rules.receipt import received

if TYPE_CHECKING:
    from datetime import timedelta

AHEAD: Final = NOW + 8 * HOUR
"""The local time of UTC+8, written as if it were UTC."""


# -- ahead -----------------------------------------------------------------------------


def test_suspension_applies_after_an_activation_eight_hours_ahead() -> None:
    activated = received("user.activated", NOW - HOUR, at=AHEAD - HOUR)
    suspended = received("user.suspended", NOW, at=NOW)

    decided = run(activated, suspended, on=world(held("d1")))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.user("u1").status is UserStatus.SUSPENDED
    assert list(decided.released) == ["d1"]


def test_failure_applies_after_a_recovery_eight_hours_ahead() -> None:
    running = received(
        "device.status_changed", NOW - HOUR, at=AHEAD, oldStatus="error", newStatus="running"
    )
    failed = received("device.failed", NOW, at=NOW - SECOND)

    decided = run(running, failed, on=world(held("d1")))

    assert decided.work.device("d1").health is Health.FAILED
    assert list(decided.released) == ["d1"]


def test_overdue_account_is_on_hold_after_a_payment_eight_hours_ahead() -> None:
    paid = received("billing.payment_success", NOW - HOUR, at=AHEAD)
    overdue = received("billing.overdue", NOW, at=NOW - SECOND)

    decided = run(paid, overdue, on=world(held("d1")))

    assert decided.work.user("u1").billing_hold
    assert list(decided.released) == ["d1"]


def test_failed_payments_count_after_a_payment_eight_hours_ahead() -> None:
    counter = FakeCounter()
    paid = received("billing.payment_success", NOW - HOUR, at=AHEAD)
    run(paid, counter=counter)

    failures = [received("billing.payment_failed", NOW, at=NOW) for _ in range(3)]
    decided = run(*failures, on=world(held("d1")), counter=counter)

    assert decided.verdicts == 3 * [Verdict.DONE]
    assert decided.work.user("u1").billing_hold


def test_payment_resets_failures_that_are_eight_hours_ahead() -> None:
    counter = FakeCounter()
    run(
        *(received("billing.payment_failed", NOW - HOUR, at=AHEAD) for _ in range(2)),
        counter=counter,
    )

    run(received("billing.payment_success", NOW, at=NOW), counter=counter)

    assert counter.current("u1", NOW) == 0


@pytest.mark.parametrize(
    ("ahead", "counts"),
    [(5 * MINUTE, False), (5 * MINUTE + MILLISECOND, True), (24 * HOUR, True), (999 * HOUR, True)],
)
def test_more_than_five_minutes_ahead_is_the_time_of_receipt(
    ahead: timedelta, *, counts: bool
) -> None:
    one = parsed(message("user.activated", at=NOW + ahead))

    assert one.clock_ahead is counts
    assert one.event.occurred_at == (NOW if counts else NOW + ahead)


def test_time_ahead_of_the_first_receipt_counts_as_that_at_every_retry() -> None:
    sent = received("user.activated", NOW, at=AHEAD)

    assert parsed(sent, AHEAD).event.occurred_at == NOW


def test_time_of_receipt_in_the_future_is_ignored() -> None:
    assert parsed(received("user.activated", NOW + HOUR)).received_at == NOW


def test_time_of_receipt_in_seconds_is_ignored() -> None:
    headers = {"x-received-at": int(NOW.timestamp())}
    event = parsed(message("user.activated", at=NOW - HOUR, headers=headers))

    assert (event.received_at, event.event.occurred_at) == (NOW, NOW - HOUR)


# -- without a time ----------------------------------------------------------------------


def test_retried_maintenance_without_a_time_does_not_undo_a_later_recovery() -> None:
    recovered = received(
        "device.status_changed", NOW - MINUTE, oldStatus="maintenance", newStatus="running"
    )
    parked = received("device.maintenance", NOW - 2 * MINUTE)

    decided = run(recovered, parked, on=world(device()))

    assert decided.verdicts == [Verdict.DONE, Verdict.OUTDATED]
    assert decided.work.device("d1").health is Health.RUNNING


def test_amqp_timestamp_of_the_same_second_is_not_outdated() -> None:
    running = received(
        "device.status_changed",
        NOW,
        at=NOW - 10 * SECOND + 600 * MILLISECOND,
        oldStatus="error",
        newStatus="running",
    )
    failed = received("device.failed", NOW)._replace(sent_at=NOW - 10 * SECOND)

    decided = run(running, failed, on=world(held("d1")))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.device("d1").health is Health.FAILED


def test_recharge_in_the_second_of_the_overdue_event_lifts_the_hold() -> None:
    overdue = received("billing.overdue", NOW, at=NOW - MINUTE + 300 * MILLISECOND)
    recharged = received("billing.recharged", NOW, at=NOW - MINUTE)

    assert not run(overdue, recharged).work.user("u1").billing_hold


def test_milliseconds_are_compared_where_both_events_have_them() -> None:
    overdue = received("billing.overdue", NOW, at=NOW - MINUTE + 300 * MILLISECOND)
    recharged = received("billing.recharged", NOW, at=NOW - MINUTE + 299 * MILLISECOND)

    assert run(overdue, recharged).work.user("u1").billing_hold


def test_failure_ten_minutes_behind_takes_the_device_from_its_new_holder() -> None:
    failed = received("device.failed", NOW, at=NOW - 10 * MINUTE)

    decided = run(failed, on=world(held("d1", since=NOW - MINUTE)))

    assert list(decided.released) == ["d1"]


# -- without an id -----------------------------------------------------------------------


def test_same_suspension_again_suspends_an_activated_user_again() -> None:
    words = {"id": None, "reason": "same words"}
    sent = [
        received("user.suspended", NOW - 2 * MINUTE, **words),
        received("user.activated", NOW - MINUTE, id=None),
        received("user.suspended", NOW, **words),
    ]

    assert run(*sent, on=world(user())).work.user("u1").status is UserStatus.SUSPENDED
