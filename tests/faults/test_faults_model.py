"""The model says what may become of a household."""

from __future__ import annotations

from tests.faults.histories import effects, happens, values
from tests.faults.outcomes import outcomes
from tests.faults.workload import RECEIPT, DrillWorkload

SECOND = 1_000_000


def test_newest_event_decides_whatever_the_order(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 1)
    happens(home, "user.activated", home.user, 2)
    happens(home, "user.suspended", home.user, RECEIPT)

    assert values(home, "user", home.user) == {("suspended", False, 10)}
    assert values(home, "mark", home.user, "account") == {(RECEIPT, None, None)}


def test_version_decides_before_the_time(load: DrillWorkload) -> None:
    home = load.household(0)
    for version, at in ((1, 30), (2, 20), (3, 10)):
        quota = {"maxDevices": version}
        happens(home, "user.quota_updated", home.user, at, newQuota=quota, version=version)

    assert values(home, "user", home.user) == {("active", False, 3)}


def test_event_without_a_version_is_compared_by_its_time(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 10, version=9)
    happens(home, "user.activated", home.user, 20)

    assert values(home, "user", home.user) == {("active", False, 10)}
    assert values(home, "mark", home.user, "account") == {(20, 9, 20), (20, None, None)}


def test_event_with_a_version_is_outdated_by_a_later_one_without(load: DrillWorkload) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 20, version=1)
    happens(home, "user.activated", home.user, 30)
    happens(home, "user.suspended", home.user, 10, version=2)

    assert ("suspended", False, 10) not in values(home, "user", home.user)


def test_older_time_with_a_higher_version_counts_if_none_has_no_version(
    load: DrillWorkload,
) -> None:
    home = load.household(0)
    happens(home, "user.suspended", home.user, 20, version=1)
    happens(home, "user.activated", home.user, 10, version=2)

    assert values(home, "user", home.user) == {("active", False, 10)}
    assert values(home, "mark", home.user, "account") == {(20, 2, None), (10, 2, None)}


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


def test_device_that_is_deleted_twice_is_released_once(load: DrillWorkload) -> None:
    home = load.household(1)
    happens(home, "device.deleted", home.devices[0], 1)
    happens(home, "device.deleted", home.devices[0], 3)

    for facts in outcomes(home):
        ((*_, code, _),) = effects(facts, "released")
        assert code == "device_deleted"
        assert len(effects(facts, "processed")) == 2
        assert facts["device", home.devices[0]] == ("available", "deleted", 2)


def test_device_that_is_created_between_two_deletions_is_deleted(load: DrillWorkload) -> None:
    home = load.household(1, sized=True)
    load.waiter(home)
    for event_type, at in (("device.deleted", 1), ("device.created", 2), ("device.deleted", 3)):
        happens(home, event_type, home.devices[0], at)

    assert {facts["device", home.devices[0]][1] for facts in outcomes(home)} == {"deleted"}
    # In between it may have been handed to the user who waits.
    assert values(home, "waiting", next(iter(home.waits))) == {"WAITING", "SERVED"}


def test_report_about_the_next_life_of_a_device_counts_in_any_order(load: DrillWorkload) -> None:
    home = load.household(1)
    for event_type, at in (("device.deleted", 1), ("device.created", 2), ("device.failed", 3)):
        happens(home, event_type, home.devices[0], at)

    assert values(home, "device", home.devices[0]) == {("available", "failed", 2)}


def test_device_that_is_created_after_two_deletions_runs(load: DrillWorkload) -> None:
    home = load.household(1)
    for event_type, at in (("device.deleted", 1), ("device.deleted", 2), ("device.created", 3)):
        happens(home, event_type, home.devices[0], at)

    assert {facts["device", home.devices[0]][1] for facts in outcomes(home)} == {"running"}


def test_creation_before_the_deletion_does_not_bring_a_device_back_by_its_version(
    load: DrillWorkload,
) -> None:
    home = load.household(1)
    device = home.devices[0]
    happens(home, "device.deleted", device, 2, version=1)
    happens(home, "device.created", device, 1, version=2)

    ends = {
        (facts["device", device][1], facts["mark", device, "health"]) for facts in outcomes(home)
    }

    # If the creation comes first, the deletion is outdated by the version.
    assert ends == {("deleted", (2, 2, None)), ("running", (1, 2, None))}


def test_versions_of_a_device_that_is_created_again_may_restart(load: DrillWorkload) -> None:
    home = load.household(1)
    device = home.devices[0]
    happens(home, "device.deleted", device, 1, version=9)
    happens(home, "device.created", device, 2)
    happens(home, "device.failed", device, 3, version=1)

    assert values(home, "device", device) == {("available", "failed", 2)}
    # Of a failure that came before the deletion, only the time is known afterwards.
    assert values(home, "mark", device, "health") == {(3, 1, 2), (3, None, None)}
