"""The model says what failed payments, payments and debts may lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.histories import effects, happens, values
from tests.faults.outcomes import outcomes
from tests.faults.workload import RECEIPT, DrillWorkload

if TYPE_CHECKING:
    from tests.faults.workload import Household

FAILED = "billing.payment_failed"
PAID = "billing.payment_success"


def holds(home: Household) -> set[str | None]:
    """Return the causes for which the user may be on hold in the end; None for none."""
    return values(home, "hold", home.user)


def test_third_failed_payment_suspends_the_service(load: DrillWorkload) -> None:
    home = load.household(1)
    for _ in range(3):
        happens(home, "billing.payment_failed", home.user, RECEIPT)

    assert values(home, "user", home.user) == {("active", True, 10)}
    assert values(home, "failures", home.user) == {3}


def test_payment_ends_the_hold_and_keeps_a_later_failure(load: DrillWorkload) -> None:
    home = load.household(0, hold=True)
    home.failures = 2
    happens(home, "billing.recharged", home.user, 1)
    happens(home, "billing.payment_failed", home.user, 2)

    assert values(home, "user", home.user) == {("active", False, 10)}
    assert values(home, "failures", home.user) == {1}


def test_payment_that_leaves_a_debt_keeps_the_hold_of_the_debt(load: DrillWorkload) -> None:
    home = load.household(2)
    happens(home, "billing.overdue", home.user, 1)
    happens(home, "billing.recharged", home.user, 2, newBalance=-50)

    assert holds(home) == {"debt"}
    assert {len(effects(facts, "released")) for facts in outcomes(home)} == {2}


@pytest.mark.parametrize("balance", [-50, 0])
def test_payment_ends_the_hold_of_failed_payments_even_in_debt(
    balance: int, load: DrillWorkload
) -> None:
    home = load.household(1)
    home.failures = 2
    happens(home, FAILED, home.user, 1)
    happens(home, PAID, home.user, 2, newBalance=balance)

    assert holds(home) == {None}
    assert values(home, "failures", home.user) == {None}


def test_failed_payments_of_an_overdue_user_do_not_change_the_cause_of_the_hold(
    load: DrillWorkload,
) -> None:
    home = load.household(2)
    happens(home, "billing.overdue", home.user, 1)
    for at in (2, 3, 4):
        happens(home, FAILED, home.user, at)
    happens(home, PAID, home.user, 5, newBalance=-50)

    assert holds(home) == {"debt"}


def test_payments_that_fail_after_a_payment_in_debt_are_counted(load: DrillWorkload) -> None:
    home = load.household(1)
    happens(home, PAID, home.user, 1, newBalance=-50)
    for at in (2, 3, 4):
        happens(home, FAILED, home.user, at)

    assert holds(home) == {"failures"}
    assert values(home, "failures", home.user) == {3}


def test_failed_payment_that_a_payment_in_debt_has_reset_is_outdated(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, FAILED, home.user, 1)
    happens(home, PAID, home.user, 2, newBalance=-50)

    notified = {len(effects(facts, "notified")) for facts in outcomes(home)}

    assert notified == {1, 2}
    assert values(home, "failures", home.user) == {None}


def test_payment_in_debt_makes_no_older_debt_outdated(load: DrillWorkload) -> None:
    home = load.household(1)
    happens(home, "billing.overdue", home.user, 1)
    happens(home, "billing.recharged", home.user, 2, newBalance=-50)

    for facts in outcomes(home):
        assert {fact[3] for fact in effects(facts, "processed")} == {"applied"}


def test_failed_payment_that_a_debt_has_made_outdated_may_be_counted(load: DrillWorkload) -> None:
    """The function is killed between the count and the commit, and the debt comes first."""
    home = load.household(0)
    happens(home, FAILED, home.user, 1)
    happens(home, "billing.overdue", home.user, 2)

    ends = {
        (facts.get(("failures", home.user)), len(effects(facts, "notified")))
        for facts in outcomes(home)
    }

    assert ends == {(1, 2), (None, 1), (1, 1)}


def test_payment_that_a_debt_has_made_outdated_may_have_reset_the_count(
    load: DrillWorkload,
) -> None:
    home = load.household(0)
    home.failures = 2
    happens(home, FAILED, home.user, 3)
    happens(home, PAID, home.user, 2, newBalance=10)
    happens(home, "billing.overdue", home.user, 4)

    counts = values(home, "failures", home.user)

    assert counts == {None, 1, 2, 3}
