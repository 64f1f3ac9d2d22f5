"""Device events that arrive out of order, twice or after a deletion."""

import pytest

from scheduler.domain.guard import Concern
from scheduler.domain.model import Health
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, device, held, mark, world

IGNORED_AFTER_DELETION = ["device.failed", "device.status_changed", "device.maintenance"]


def health_after(*sent: tuple[str, int], version: bool = False) -> Health:
    """Apply events in order of arrival, which happened some minutes after NOW - 1 h."""
    messages = [
        message(event_type, at=NOW - (60 - minute) * MINUTE, version=minute if version else None)
        for event_type, minute in sent
    ]
    return run(*messages, on=world(device("d1"))).work.device("d1").health


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize("event_type", IGNORED_AFTER_DELETION)
def test_no_event_after_a_deletion_changes_the_device(event_type: str, *, version: bool) -> None:
    after = health_after(("device.deleted", 1), (event_type, 9), version=version)

    assert after is Health.DELETED


@pytest.mark.parametrize("version", [True, False])
def test_later_creation_restores_a_deleted_device(*, version: bool) -> None:
    assert health_after(("device.deleted", 1), ("device.created", 2), version=version) is (
        Health.RUNNING
    )


@pytest.mark.parametrize("version", [True, False])
def test_late_creation_does_not_restore_a_deleted_device(*, version: bool) -> None:
    assert health_after(("device.deleted", 2), ("device.created", 1), version=version) is (
        Health.DELETED
    )


@pytest.mark.parametrize("version", [True, False])
def test_late_creation_between_two_deletions_does_not_restore_the_device(*, version: bool) -> None:
    both = (("device.deleted", 1), ("device.deleted", 3))

    assert health_after(*both, ("device.created", 2), version=version) is Health.DELETED


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize(
    ("reports", "health"),
    [
        ([("device.failed", 9)], Health.FAILED),
        ([("device.maintenance", 8), ("device.failed", 9)], Health.FAILED),
        ([("device.failed", 9), ("device.maintenance", 8)], Health.FAILED),
        ([("device.status_changed", 9)], Health.STOPPED),
        ([("device.failed", 4)], Health.RUNNING),
        ([("device.failed", 1)], Health.RUNNING),
    ],
)
def test_report_that_overtakes_a_recreation_counts_after_it(
    reports: list[tuple[str, int]], health: Health, *, version: bool
) -> None:
    sent = [("device.deleted", 2), *reports, ("device.created", 5)]

    assert health_after(*sent, version=version) is health


@pytest.mark.parametrize("version", [True, False])
def test_deletion_and_recreation_that_a_report_overtakes_do_not_lose_the_device(
    *, version: bool
) -> None:
    sent = [("device.status_changed", 9), ("device.deleted", 1)]

    assert health_after(*sent, version=version) is Health.DELETED
    assert health_after(*sent, ("device.created", 5), version=version) is Health.STOPPED


def test_report_of_a_former_life_does_not_count_after_another_deletion() -> None:
    lives = [("device.deleted", 1), ("device.failed", 2), ("device.deleted", 3)]

    assert health_after(*lives, ("device.created", 4)) is Health.RUNNING


def test_report_of_a_former_life_with_a_high_version_does_not_hide_one_of_the_next() -> None:
    sent = [
        message(event_type, at=NOW - (60 - minute) * MINUTE, version=version)
        for event_type, minute, version in (
            ("device.deleted", 1, 8),
            ("device.failed", 2, 9),
            ("device.deleted", 3, 10),
            ("device.status_changed", 6, 2),
            ("device.created", 5, 1),
        )
    ]

    assert run(*sent, on=world(device("d1"))).work.device("d1").health is Health.STOPPED


def test_report_right_after_a_deletion_does_not_count_for_a_life_that_begins_later() -> None:
    sent = [
        message(event_type, at=NOW - (60 - minute) * MINUTE, version=version, newStatus=status)
        for event_type, minute, version, status in (
            ("device.deleted", 1, 8, None),
            ("device.status_changed", 2, 9, "stopped"),
            ("device.created", 5, 1, None),
            ("device.status_changed", 6, 2, "error"),
        )
    ]

    assert run(*sent[:3], on=world(device("d1"))).work.device("d1").health is Health.RUNNING
    assert run(*sent, on=world(device("d1"))).work.device("d1").health is Health.ERROR


def test_report_that_overtook_a_recreation_makes_older_ones_outdated() -> None:
    sent = [("device.deleted", 1), ("device.failed", 9), ("device.created", 5)]

    assert health_after(*sent, ("device.status_changed", 8)) is Health.FAILED


@pytest.mark.parametrize("version", [True, False])
def test_late_deletion_does_not_delete_a_recreated_device(*, version: bool) -> None:
    assert health_after(("device.created", 2), ("device.deleted", 1), version=version) is (
        Health.RUNNING
    )


@pytest.mark.parametrize("version", [True, False])
def test_late_deletion_overrides_a_newer_failure(*, version: bool) -> None:
    assert health_after(("device.failed", 9), ("device.deleted", 1), version=version) is (
        Health.DELETED
    )


@pytest.mark.parametrize("version", [True, False])
def test_late_creation_does_not_change_a_newer_health(*, version: bool) -> None:
    assert health_after(("device.failed", 2), ("device.created", 1), version=version) is (
        Health.FAILED
    )


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize("late", ["device.failed", "device.maintenance", "device.status_changed"])
def test_older_health_event_is_outdated(late: str, *, version: bool) -> None:
    assert health_after(("device.created", 5), (late, 4), version=version) is Health.RUNNING


def test_health_events_of_the_same_instant_are_both_applied() -> None:
    assert health_after(("device.failed", 1), ("device.maintenance", 1)) is Health.MAINTENANCE


def test_second_event_with_the_same_version_is_outdated() -> None:
    both = (("device.failed", 1), ("device.maintenance", 1))

    assert health_after(*both, version=True) is Health.FAILED


def test_report_of_an_operator_without_a_version_outdates_an_older_failure_with_one() -> None:
    decided = run(
        message("device.created", at=NOW - 60 * MINUTE, version=1),
        message("device.status_changed", at=NOW, oldStatus="failed", newStatus="running"),
        message("device.failed", at=NOW - MINUTE, version=2),
        on=world(held("d1")),
    )

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE, Verdict.OUTDATED]
    assert decided.work.device("d1").health is Health.RUNNING
    assert decided.released == {}


def test_late_event_of_a_former_life_is_outdated_by_its_time() -> None:
    decided = run(
        message("device.deleted", at=NOW - 30 * MINUTE, version=9),
        message("device.created", at=NOW - 20 * MINUTE, version=1),
        message("device.failed", at=NOW - 40 * MINUTE, version=8),
        on=world(held("d1")),
    )

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE, Verdict.OUTDATED]
    assert decided.work.device("d1").health is Health.RUNNING


def test_holder_keeps_a_device_whose_failure_and_deletion_come_after_its_next_creation() -> None:
    decided = run(
        message("device.created", at=NOW - MINUTE),
        message("device.deleted", at=NOW - 2 * MINUTE),
        message("device.failed", at=NOW - 3 * MINUTE),
        on=world(held("d1")),
    )

    assert decided.verdicts == [Verdict.DONE, Verdict.OUTDATED, Verdict.OUTDATED]
    assert decided.released == {}


def test_outdated_event_releases_nothing_and_notifies_nobody() -> None:
    on = world(held("d1", since=NOW - 60 * MINUTE), marks=[mark(Concern.HEALTH, NOW - MINUTE)])

    decided = run(message("device.failed", at=NOW - 2 * MINUTE), on=on)

    assert decided.verdicts == [Verdict.OUTDATED]
    assert (decided.released, decided.told) == ({}, [])
