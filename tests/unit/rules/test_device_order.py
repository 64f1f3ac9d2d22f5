"""Device events that come late, twice, or after a deletion."""

import pytest

from scheduler.domain.guard import Concern
from scheduler.domain.model import Health
from scheduler.pipeline.outcome import Verdict
from tests.support.deciding import run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, device, held, mark, world

NOT_FINAL = ["device.failed", "device.status_changed", "device.maintenance"]


def health_after(*sent: tuple[str, int], version: bool = False) -> Health:
    """Apply events that happened some minutes after NOW - 1 h, in the order of their arrival."""
    messages = [
        message(event_type, at=NOW - (60 - minute) * MINUTE, version=minute if version else None)
        for event_type, minute in sent
    ]
    return run(*messages, on=world(device("d1"))).work.device("d1").health


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize("event_type", NOT_FINAL)
def test_after_a_deletion_no_later_event_changes_the_device(
    event_type: str, *, version: bool
) -> None:
    after = health_after(("device.deleted", 1), (event_type, 9), version=version)

    assert after is Health.DELETED


@pytest.mark.parametrize("version", [True, False])
def test_a_later_creation_revives_a_deleted_device(*, version: bool) -> None:
    assert health_after(("device.deleted", 1), ("device.created", 2), version=version) is (
        Health.RUNNING
    )


@pytest.mark.parametrize("version", [True, False])
def test_a_creation_that_comes_late_does_not_revive(*, version: bool) -> None:
    assert health_after(("device.deleted", 2), ("device.created", 1), version=version) is (
        Health.DELETED
    )


@pytest.mark.parametrize("version", [True, False])
def test_a_deletion_that_comes_after_its_revival_is_outdated(*, version: bool) -> None:
    assert health_after(("device.created", 2), ("device.deleted", 1), version=version) is (
        Health.RUNNING
    )


@pytest.mark.parametrize("version", [True, False])
def test_a_deletion_weighs_more_than_a_newer_failure(*, version: bool) -> None:
    assert health_after(("device.failed", 9), ("device.deleted", 1), version=version) is (
        Health.DELETED
    )


@pytest.mark.parametrize("version", [True, False])
def test_a_creation_that_comes_late_describes_the_device_and_leaves_it_failed(
    *, version: bool
) -> None:
    assert health_after(("device.failed", 2), ("device.created", 1), version=version) is (
        Health.FAILED
    )


@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize("late", ["device.failed", "device.maintenance", "device.status_changed"])
def test_a_health_event_older_than_the_last_one_is_outdated(late: str, *, version: bool) -> None:
    assert health_after(("device.created", 5), (late, 4), version=version) is Health.RUNNING


def test_two_health_events_of_the_same_instant_both_count() -> None:
    assert health_after(("device.failed", 1), ("device.maintenance", 1)) is Health.MAINTENANCE


def test_of_two_events_with_the_same_version_the_second_is_outdated() -> None:
    both = (("device.failed", 1), ("device.maintenance", 1))

    assert health_after(*both, version=True) is Health.FAILED


def test_an_outdated_event_releases_nothing_and_tells_nobody() -> None:
    on = world(held("d1", since=NOW - 60 * MINUTE), marks=[mark(Concern.HEALTH, NOW - MINUTE)])

    decided = run(message("device.failed", at=NOW - 2 * MINUTE), on=on)

    assert decided.verdicts == [Verdict.OUTDATED]
    assert (decided.released, decided.told) == ({}, [])
