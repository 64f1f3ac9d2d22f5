"""The scenarios of a drill; each adds a household and the events that concern it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tests.faults.device_scenarios import (
    HISTORY,
    break_device,
    created,
    deleted_twice,
    device_changes,
    device_trouble,
    device_with_some_versions,
    perhaps_version,
)
from tests.faults.payments import CREDITS
from tests.faults.workload import DrillWorkload, Household

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Scenario = Callable[[DrillWorkload], None]

_TWICE: Final = 0.25
_MALFORMED: Final = 0.025
_FAILING: Final = 0.025
"""Shares of the draws: a scenario has two or three events, so about 1 % of the events."""
_MANY: Final = 7
"""More releases than this service announces one by one in e-mails."""


def workload(
    seed: int, events: int, *, faulty: bool = True, only: Sequence[Scenario] = ()
) -> DrillWorkload:
    """Return at least so many distinct events, shuffled and partly duplicated.

    Args:
        seed: determines all random choices.
        events: the number of events; the last scenario may add a few more.
        faulty: whether to add malformed and always failing messages.
        only: the scenarios to draw from; by default all.
    """
    made = DrillWorkload(seed)
    while len(made.messages) < events:
        drawn = made.chance.random()
        if faulty and drawn < _MALFORMED:
            made.malformed()
        elif faulty and drawn < _MALFORMED + _FAILING:
            made.failing()
        else:
            made.chance.choice(only or SCENARIOS)(made)
    made.messages += [
        one for one in made.messages if one.identified and made.chance.random() < _TWICE
    ]
    made.chance.shuffle(made.messages)
    return made


def suspended(load: DrillWorkload) -> None:
    """A user is suspended; one of their devices fails at the same time."""
    home = load.household(3)
    load.event(home, "user.suspended", home.user)
    break_device(load, home)


def suspended_with_many(load: DrillWorkload) -> None:
    """So many devices are released that their e-mails become one."""
    home = load.household(_MANY)
    home.mails_releases = True
    load.event(home, "user.suspended", home.user)
    break_device(load, home)


def deleted(load: DrillWorkload) -> None:
    """A user is deleted; one of their devices fails at the same time, and they owe money."""
    home = load.household(3)
    home.mails_releases = load.chance.random() < 1 / 2
    load.event(home, "user.deleted", home.user)
    break_device(load, home)
    if load.chance.random() < 1 / 2:
        load.event(home, "billing.payment_failed", home.user)


def account_changes(load: DrillWorkload) -> None:
    """A user is suspended and activated in turn, and perhaps deleted."""
    home = load.household(2, status=load.chance.choice(("active", "suspended")))
    if home.users[home.user][0] == "suspended":
        home.holds.clear()
    for _ in range(load.chance.randint(*HISTORY)):
        load.event(home, load.chance.choice(("user.suspended", "user.activated")), home.user)
    if load.chance.random() < 1 / 4:
        load.event(home, "user.deleted", home.user)


def quota_updated(load: DrillWorkload) -> None:
    """The quota changes several times; the oldest device fails at the same time."""
    home = load.household(4)
    for _ in range(load.chance.randint(1, 3)):
        quota = {"maxDevices": load.chance.randint(0, 4)}
        load.event(home, "user.quota_updated", home.user, newQuota=quota)
    break_device(load, home)


def quota_with_versions(load: DrillWorkload) -> None:
    """The quota changes in the order of versions; the times say otherwise."""
    home = load.household(3)
    for version in range(1, load.chance.randint(*HISTORY) + 1):
        quota = {"maxDevices": load.chance.randint(0, 3)}
        load.event(home, "user.quota_updated", home.user, newQuota=quota, version=version)


def quota_with_some_versions(load: DrillWorkload) -> None:
    """Only some of the changes have a version, so the others are compared by their times."""
    home = load.household(3)
    for version in range(1, load.chance.randint(*HISTORY) + 1):
        quota = {"maxDevices": load.chance.randint(0, 3)}
        load.event(
            home, "user.quota_updated", home.user, newQuota=quota, **perhaps_version(load, version)
        )


def account_with_some_versions(load: DrillWorkload) -> None:
    """A user is suspended and activated by publishers of which only some send versions."""
    home = load.household(2)
    for version in range(1, load.chance.randint(*HISTORY) + 1):
        event_type = load.chance.choice(("user.suspended", "user.activated"))
        load.event(home, event_type, home.user, **perhaps_version(load, version))


def quota_exceeded(load: DrillWorkload) -> None:
    """The limit is one device, told twice."""
    home = load.household(3)
    for _ in range(load.chance.randint(1, 2)):
        load.event(home, "user.quota_exceeded", home.user, limit=1)
    break_device(load, home)


def payments_failed(load: DrillWorkload) -> None:
    """Three failures suspend the service."""
    home = load.household(2)
    load.events(3, home, "billing.payment_failed", home.user)


def balance_low(load: DrillWorkload) -> None:
    """The user is notified."""
    home = load.household(0)
    load.event(home, "billing.balance_low", home.user)


def debts(load: DrillWorkload) -> None:
    """Debts and payments take turns; a device fails at the same time."""
    home = load.household(2)
    load.event(home, "billing.overdue", home.user)
    for _ in range(load.chance.randint(0, 2)):
        if load.chance.random() < 1 / 3:
            load.event(home, "billing.overdue", home.user)
        else:
            _credit(load, home)
    break_device(load, home)


def failing_in_debt(load: DrillWorkload) -> None:
    """Payments of an overdue user fail; one or two succeed before, between or after them."""
    home = load.household(2, hold=load.chance.random() < 1 / 2)
    if home.users[home.user][1]:
        home.holds.clear()
    home.failures = load.chance.randint(0, 2)
    load.event(home, "billing.overdue", home.user)
    for amount in range(1, load.chance.randint(2, 3) + 1):
        load.event(home, "billing.payment_failed", home.user, amount=amount)
    for _ in range(load.chance.randint(1, 2)):
        _credit(load, home)


def _credit(load: DrillWorkload, home: Household) -> None:
    """Money arrives, which may leave a debt."""
    balance = load.chance.choice((-50, 250))
    load.event(home, load.chance.choice(CREDITS), home.user, newBalance=balance)


def paid(load: DrillWorkload) -> None:
    """Two failures are forgotten and the billing hold ends; perhaps another payment fails."""
    home = load.household(0, hold=True)
    home.failures = 2
    load.event(home, load.chance.choice(CREDITS), home.user)
    if load.chance.random() < 1 / 2:
        load.event(home, "billing.payment_failed", home.user)


def handed_over(load: DrillWorkload) -> None:
    """The freed device goes to a user in the waiting line, once."""
    home = load.household(1, sized=True)
    load.waiter(home)
    load.event(home, load.chance.choice(("user.suspended", "billing.overdue")), home.user)
    if load.chance.random() < 1 / 4:
        break_device(load, home)


def contended(load: DrillWorkload) -> None:
    """One device is freed, and two users wait for it; the first may be suspended."""
    home = load.household(1, sized=True)
    first, _ = load.waiter(home), load.waiter(home)
    load.event(home, load.chance.choice(("user.suspended", "user.deleted")), home.user)
    if load.chance.random() < 1 / 2:
        load.event(home, load.chance.choice(("user.suspended", "billing.overdue")), first)


SCENARIOS: Final[tuple[Scenario, ...]] = (
    suspended,
    suspended_with_many,
    deleted,
    account_changes,
    quota_updated,
    quota_with_versions,
    quota_with_some_versions,
    account_with_some_versions,
    device_with_some_versions,
    quota_exceeded,
    payments_failed,
    balance_low,
    debts,
    failing_in_debt,
    paid,
    created,
    device_changes,
    deleted_twice,
    handed_over,
    contended,
    device_trouble,
)
