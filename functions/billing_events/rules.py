"""The rules of the billing events. They depend on a setting, so a function returns them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from billing_events.contracts import (
    BalanceLow,
    Overdue,
    PaymentFailed,
    PaymentSuccess,
    Recharged,
)
from scheduler.domain.notices import NoticeKind
from scheduler.domain.reasons import ReleaseReason
from scheduler.pipeline.event_rules import EventRules

if TYPE_CHECKING:
    from scheduler.domain.work import Work


def billing_rules(failure_threshold: int) -> EventRules:
    """Return the rules, given the number of failed payments that suspends the service."""
    events = EventRules()

    @events.on(PaymentFailed)
    def count_failed_payment(event: PaymentFailed, work: Work) -> None:
        failures = work.payment_failures()
        if failures < failure_threshold:
            _warn(event, work, failures, failure_threshold)
        else:
            _stop_service(event, work, failures, failure_threshold)

    events.on(BalanceLow)(warn_of_low_balance)
    events.on(Overdue)(stop_overdue_account)

    @events.on(PaymentSuccess)
    def settle_after_payment(event: PaymentSuccess, work: Work) -> None:
        _settle_account(event, work, NoticeKind.PAYMENT_SUCCESS, failure_threshold)

    @events.on(Recharged)
    def settle_after_recharge(event: Recharged, work: Work) -> None:
        _settle_account(event, work, NoticeKind.RECHARGED, failure_threshold)

    return events


def _warn(event: PaymentFailed, work: Work, failures: int, threshold: int) -> None:
    work.notify(
        event.user_id,
        NoticeKind.PAYMENT_FAILED,
        amount=event.amount,
        reason=event.reason,
        count=failures,
        threshold=threshold,
    )
    work.remark(f"payment failure count: {failures}/{threshold}")


def _stop_service(event: PaymentFailed, work: Work, failures: int, threshold: int) -> None:
    user = work.user(event.user_id)
    overdue = user.billing_hold and user.hold_in_debt
    work.set_billing_hold(event.user_id, hold=True, in_debt=overdue)
    released = work.release_all(event.user_id, ReleaseReason.payment_failed())
    work.notify(event.user_id, NoticeKind.SERVICE_SUSPENDED, count=failures, released=released)
    work.remark(f"payment failure count: {failures}/{threshold}")
    work.remark(
        f"User {event.user_id} reached payment failure threshold, releasing all devices"
        f" ({released})"
    )


def warn_of_low_balance(event: BalanceLow, work: Work) -> None:
    """Notify the user."""
    work.notify(
        event.user_id,
        NoticeKind.BALANCE_LOW,
        balance=event.current_balance,
        threshold=event.threshold,
    )


def stop_overdue_account(event: Overdue, work: Work) -> None:
    """Put the account on hold, release all devices, and notify the user in any case."""
    work.set_billing_hold(event.user_id, hold=True)
    reason = ReleaseReason.billing_overdue(event.overdue_amount, event.overdue_days)
    released = work.release_all(event.user_id, reason)
    work.notify(
        event.user_id,
        NoticeKind.OVERDUE,
        amount=event.overdue_amount,
        days=event.overdue_days,
    )
    work.remark(
        f"Released {released} allocations, sent {released} notifications"
        f" due to overdue account of {event.user_id}"
    )


def _settle_account(
    event: PaymentSuccess | Recharged, work: Work, kind: NoticeKind, threshold: int
) -> None:
    """Notify the user, and lift the hold, unless it stays in debt or later payments failed.

    The payment ledger has reset the count before the rules are applied. A payment that arrives late
    does not clear the failures after it. If a later payment of the batch was applied first, that
    one has decided about the hold.
    """
    if event.in_debt:
        work.note_payment_in_debt(event.user_id, event.occurred_at)
    left, user = work.later_payment_failures(), work.user(event.user_id)
    if left is not None and not (event.in_debt and user.hold_in_debt):
        hold = user.billing_hold and left >= threshold  # of the failures alone
        work.set_billing_hold(event.user_id, hold=hold, in_debt=not hold)
    work.notify(event.user_id, kind, amount=event.amount, balance=event.new_balance)
    work.remark(f"Reset payment failure count for user {event.user_id}")
    if left:
        work.remark(f"later payment failures: {left}/{threshold}")
