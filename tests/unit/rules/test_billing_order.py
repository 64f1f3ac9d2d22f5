"""Billing events that arrive out of order or after a deletion."""

from datetime import timedelta
from itertools import permutations

import pytest

from scheduler.domain.model import User, UserStatus
from scheduler.domain.state import Snapshot
from scheduler.pipeline.outcome import Verdict
from tests.support.counter import FakeCounter
from tests.support.deciding import QUOTA, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, held, user, world


def devices(count: int) -> Snapshot:
    return world(user(), *(held(f"d{n}") for n in range(1, count + 1)))


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    ("newest", "late", "outdated"),
    [
        ("billing.payment_success", "billing.overdue", True),
        ("billing.overdue", "billing.payment_success", True),
        ("billing.recharged", "billing.payment_success", True),
        ("billing.overdue", "billing.balance_low", True),
        ("billing.recharged", "billing.balance_low", True),
        ("billing.balance_low", "billing.balance_low", False),
        ("billing.balance_low", "billing.payment_failed", False),
        ("billing.payment_failed", "billing.balance_low", False),
        ("billing.payment_failed", "billing.overdue", False),
        ("billing.payment_failed", "billing.payment_success", False),
    ],
)
def test_failed_payments_and_low_balances_make_nothing_outdated(
    newest: str, late: str, *, outdated: bool, version: bool
) -> None:
    versions = (9, 8) if version else (None, None)
    first = message(newest, at=NOW - MINUTE, version=versions[0])
    second = message(late, at=NOW - 2 * MINUTE, version=versions[1])

    expected = Verdict.OUTDATED if outdated else Verdict.DONE
    assert run(first, second).verdicts == [Verdict.DONE, expected]


def test_overdue_event_older_than_the_payment_is_outdated() -> None:
    paid = message("billing.payment_success", at=NOW - MINUTE)
    overdue = message("billing.overdue", at=NOW - 2 * MINUTE)

    decided = run(paid, overdue, on=devices(2))

    assert not decided.work.user("u1").billing_hold
    assert decided.released == {}


BILLING = (
    "billing.payment_failed",
    "billing.balance_low",
    "billing.overdue",
    "billing.payment_success",
    "billing.recharged",
)


@pytest.mark.parametrize("event_type", BILLING)
def test_billing_event_of_a_deleted_user_is_outdated(event_type: str) -> None:
    counter = FakeCounter()

    decided = run(message(event_type), on=world(user(status=UserStatus.DELETED)), counter=counter)

    assert decided.verdicts == [Verdict.OUTDATED]
    assert decided.work.users == {"u1": user(status=UserStatus.DELETED)}
    assert decided.told == []
    assert counter.current("u1", NOW) == 0


@pytest.mark.parametrize("event_type", BILLING)
def test_unknown_user_gets_a_row_with_defaults(event_type: str) -> None:
    decided = run(message(event_type))

    account = User("u1", QUOTA, known=False)
    stopped = account._replace(billing_hold=True, stopped_at=NOW)
    expected = stopped if event_type == "billing.overdue" else account
    assert decided.work.users == {"u1": expected}


@pytest.mark.parametrize("versions", [(8, 9), (9, 8), (9, None), (None, 9), (None, None)])
@pytest.mark.parametrize(("failed_at", "failures"), [(-2 * MINUTE, 0), (2 * MINUTE, 3)])
def test_times_alone_tell_which_payments_failed_before_a_successful_one(
    failed_at: timedelta, failures: int, versions: tuple[int | None, int | None]
) -> None:
    """Whatever the versions say, and in every order."""
    failed = [
        message(
            "billing.payment_failed",
            at=NOW + failed_at,
            version=versions[0] and versions[0] * 9 + n,
        )
        for n in range(3)
    ]
    paid = message("billing.payment_success", at=NOW, version=versions[1] and versions[1] * 9)
    for order in permutations([*failed, paid]):
        counter = FakeCounter()

        decided = run(*order, on=devices(2), counter=counter)

        assert counter.current("u1", NOW) == failures
        assert decided.work.user("u1").billing_hold is bool(failures)
