"""The model says what may become of a household."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.faults.outcomes import outcomes
from tests.faults.workload import RECEIPT, DrillEvent, DrillWorkload, Household

if TYPE_CHECKING:
    from tests.faults.model import Facts

SECOND = 1_000_000


@pytest.fixture
def load() -> DrillWorkload:
    return DrillWorkload(seed=1)


def happens(home: Household, event_type: str, subject: str, at: int, **fields: Any) -> None:  # noqa: ANN401 - any field
    key = f"e{len(home.events)}"
    home.events.append(DrillEvent(key, key, event_type, subject, at, fields))


def values(home: Household, *fact: str) -> set[Any]:
    """Return the values that a fact may have."""
    return {facts.get(fact) for facts in outcomes(home)}


def effects(facts: Facts, kind: str) -> list[tuple[str, ...]]:
    return sorted(fact for fact in facts if fact[0] == kind)


def test_newest_event_decides_whatever_the_order(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 1)
    happens(home, "user.activated", home.user, 2)
    happens(home, "user.suspended", home.user, RECEIPT)

    assert values(home, "user", home.user) == {("suspended", False, 10)}
    assert values(home, "mark", home.user, "account") == {(RECEIPT, None)}


def test_version_decides_before_the_time(load: DrillWorkload) -> None:
    home = load.household(0)
    for version, at in ((1, 30), (2, 20), (3, 10)):
        quota = {"maxDevices": version}
        happens(home, "user.quota_updated", home.user, at, newQuota=quota, version=version)

    assert values(home, "user", home.user) == {("active", False, 3)}


def test_whole_second_may_be_any_moment_of_it(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 2 * SECOND)
    happens(home, "user.activated", home.user, 2 * SECOND + 300_000)

    assert values(home, "user", home.user) == {("active", False, 10), ("suspended", False, 10)}


def test_device_is_released_once_by_one_of_two_events(load: DrillWorkload) -> None:
    home = load.household(1)
    happens(home, "user.suspended", home.user, 1)
    happens(home, "device.failed", home.devices[0], 1)

    ends = outcomes(home)

    released = [effects(facts, "released") for facts in ends]
    assert {one[0][4] for one in released} == {"user_suspended", "device_failed"}
    assert all(len(one) == 1 for one in released)
    assert {facts["device", home.devices[0]] for facts in ends} == {("available", "failed", 2)}


def test_one_device_goes_to_one_of_those_who_wait(load: DrillWorkload) -> None:
    home = load.household(1, sized=True)
    waiters = {load.waiter(home), load.waiter(home)}
    happens(home, "user.suspended", home.user, 1)

    for facts in outcomes(home):
        holders = {value[0] for fact, value in facts.items() if fact[0] == "holds"}
        assert len(holders) == 1
        assert holders <= waiters


def test_device_that_broke_is_not_handed_over_for_good(load: DrillWorkload) -> None:
    home = load.household(1, sized=True)
    load.waiter(home)
    happens(home, "user.suspended", home.user, 1)
    happens(home, "device.failed", home.devices[0], 1)

    assert not any(fact[0] == "holds" for facts in outcomes(home) for fact in facts)
    assert values(home, "waiting", next(iter(home.waits))) == {"WAITING", "SERVED"}


def test_deleted_user_is_notified_of_nothing_afterwards(load: DrillWorkload) -> None:
    home = load.household(2)
    home.failures = 2
    happens(home, "user.deleted", home.user, 1)

    (facts,) = outcomes(home)

    assert len(effects(facts, "released")) == 2
    assert not effects(facts, "notified")
    assert not effects(facts, "failures")
    assert facts["erased", home.user]


def test_unsent_deliveries_of_a_deleted_user_are_skipped(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "billing.balance_low", home.user, 1)
    happens(home, "user.deleted", home.user, 1)

    statuses = {fact[4] for facts in outcomes(home) for fact in effects(facts, "delivery")}

    assert statuses == {"skipped"}


def test_many_releases_are_mailed_as_one(load: DrillWorkload) -> None:
    home = load.household(6)
    home.mails_releases = True
    happens(home, "user.suspended", home.user, 1)

    (facts,) = outcomes(home)

    mails = [fact for fact in effects(facts, "delivery") if fact[3] == "email"]
    assert [fact[2].partition(":")[0] for fact in mails] == [
        "account_suspended",
        "device_released.digest",
    ]


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
