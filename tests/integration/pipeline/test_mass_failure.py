"""The mass-failure brake in the pipeline: releases beyond the limit are held, and none is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database import brake
from scheduler.domain.model import Health
from tests.integration.pipeline.failing_fleet import (
    FLEET,
    LIMITS,
    RETRIES,
    count_running,
    decide,
    failed,
    released,
    status,
    stopped,
)
from tests.support.events import message
from tests.support.store import Store
from tests.support.together import together
from tests.support.world import HOUR, MINUTE, NOW, SECOND, device, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.messaging.message import Message
    from tests.support.clock import Clock
    from tests.support.functions import Functions
    from tests.support.queues import Queues


def test_messages_beyond_the_limit_only_mark_their_devices_as_failed(
    fleet: Store, braked: Functions, queues: Queues
) -> None:
    totals = braked.handle(*map(failed, range(13)))

    assert totals == {"success": 10, "retried": 3}
    assert released(fleet) == 10
    assert fleet.rows("SELECT COUNT(*) FROM devices WHERE health = 'failed'") == [(13,)]
    assert len(fleet.state()["processed"]) == 10
    waiting = queues.take(RETRIES["device.failed"])
    assert [one.properties.message_id for one in waiting] == ["failed-10", "failed-11", "failed-12"]
    assert {one.headers["x-attempt"] for one in waiting} == {0}


@pytest.mark.parametrize(
    "older",
    [
        message("device.status_changed", deviceId="d12", newStatus="running", at=NOW - MINUTE),
        message("device.created", deviceId="d12", at=NOW - MINUTE),
    ],
)
def test_older_report_does_not_bring_a_held_device_back(
    older: Message, fleet: Store, braked: Functions
) -> None:
    held_back = failed(12, at=NOW - SECOND)
    braked.handle(*map(failed, range(11)), held_back)

    braked.handle(older)
    assert fleet.rows("SELECT health FROM devices WHERE id = 'd12'") == [("failed",)]

    braked.handle(message("device.status_changed", deviceId="d12", newStatus="running", at=NOW))
    assert fleet.rows("SELECT health FROM devices WHERE id = 'd12'") == [("running",)]
    assert braked.handle(held_back) == {"outdated": 1}


def test_both_events_are_counted_together_across_environments(
    fleet: Store, environment: Callable[[], Functions]
) -> None:
    assert environment().handle(*map(failed, range(6))) == {"success": 6}

    totals = environment().handle(*map(stopped, range(20, 30)))

    assert totals == {"success": 4, "retried": 6}
    assert released(fleet) == 10


def test_two_queues_at_once_exceed_the_limit_by_a_batch_at_most_and_lose_nothing(
    fleet: Store, environment: Callable[[], Functions], queues: Queues
) -> None:
    batch = 3
    kinds = ((environment(), failed, range(24)), (environment(), stopped, range(24, 48)))

    def consume(functions: Functions, event: Callable[[int], Message], numbers: range) -> None:
        for first in numbers[::batch]:
            functions.handle(*map(event, range(first, first + batch)))

    together(*(partial(consume, *kind) for kind in kinds))

    waiting = [one for name in RETRIES.values() for one in queues.take(name)]
    assert 10 <= released(fleet) <= 10 + batch
    assert released(fleet) + len(waiting) == 48
    assert status(fleet).state.engaged_at


def test_engaged_brake_holds_until_an_operator_decides(
    fleet: Store, environment: Callable[[], Functions], clock: Clock
) -> None:
    environment().handle(*map(failed, range(11)))
    clock.now += 600 * MINUTE

    assert environment().handle(failed(30)) == {"retried": 1}

    decide(fleet, brake.arm)
    assert environment().handle(failed(30)) == {"success": 1}


def test_failures_spread_over_time_are_not_held(
    fleet: Store, braked: Functions, clock: Clock
) -> None:
    for n in range(30):
        clock.now = NOW + n * 12 * SECOND
        assert braked.handle(failed(n)) == {"success": 1}

    assert released(fleet) == 30


def test_releases_are_not_counted_after_a_minute(
    fleet: Store, braked: Functions, clock: Clock
) -> None:
    braked.handle(*map(failed, range(10)))
    clock.now += MINUTE

    assert braked.handle(*map(failed, range(10, 18))) == {"success": 8}
    assert released(fleet) == 18


def test_operator_can_open_the_brake_for_a_time(
    fleet: Store, braked: Functions, clock: Clock
) -> None:
    braked.handle(*map(failed, range(20)))
    decide(fleet, brake.release, clock.now + 10 * MINUTE)

    assert braked.handle(*map(failed, range(10, 40))) == {"success": 30}

    clock.now += 10 * MINUTE
    decide(fleet, count_running, clock.now)
    assert braked.handle(*map(failed, range(40, 50))) == {"success": 5, "retried": 5}


def test_batch_that_trips_late_does_not_override_the_operator(
    fleet: Store, database_url: str
) -> None:
    """The operator decides between the batch's reading of the brake and its commit."""
    consumer = Store(database_url)
    with consumer.database.transaction() as cursor:
        loaded = brake.query(cursor, LIMITS, NOW)()
        assert not all(loaded.admit(1) for _ in range(FLEET))
        decide(fleet, brake.release, NOW + MINUTE)
        brake.store(cursor, "scheduler.device-failed", loaded, NOW)
    consumer.database.close()

    assert status(fleet).state.engaged_at is None


def test_manually_engaged_brake_holds_the_first_message(fleet: Store, braked: Functions) -> None:
    decide(fleet, brake.engage, NOW)

    assert braked.handle(failed(1), stopped(2)) == {"retried": 2}
    assert released(fleet) == 0


def test_messages_that_release_nothing_are_not_held(fleet: Store, braked: Functions) -> None:
    fleet.seed(world(*(device(f"free{n}") for n in range(30))))
    decide(fleet, brake.engage, NOW)
    recovered = message(
        "device.status_changed", deviceId="d1", oldStatus="stopped", newStatus="running"
    )

    free = [message("device.failed", deviceId=f"free{n}") for n in range(30)]

    assert braked.handle(*free) == {"success": 30}
    assert braked.handle(recovered) == {"success": 1}


def test_device_that_recovered_while_held_is_not_released(fleet: Store, braked: Functions) -> None:
    decide(fleet, brake.engage, NOW)
    broken = failed(1, timestamp=(NOW - MINUTE).isoformat())
    assert braked.handle(broken) == {"retried": 1}
    braked.handle(
        message("device.status_changed", deviceId="d1", oldStatus="failed", newStatus="running")
    )
    decide(fleet, brake.arm)

    assert braked.handle(broken) == {"outdated": 1}

    assert released(fleet) == 0
    assert fleet.rows("SELECT health FROM devices WHERE id = 'd1'") == [(Health.RUNNING,)]


def test_report_without_a_version_outdates_held_failures_that_have_one(
    fleet: Store, braked: Functions
) -> None:
    reported: dict[str, Any] = {"deviceId": "d1", "oldStatus": "stopped", "newStatus": "running"}
    braked.handle(message("device.status_changed", version=1, at=NOW - HOUR, **reported))
    decide(fleet, brake.engage, NOW)
    broken = failed(1, version=2, at=NOW - MINUTE)
    assert braked.handle(broken) == {"retried": 1}
    braked.handle(message("device.status_changed", **reported))
    decide(fleet, brake.arm)

    assert braked.handle(broken) == {"outdated": 1}

    assert released(fleet) == 0
    assert fleet.rows("SELECT health FROM devices WHERE id = 'd1'") == [(Health.RUNNING,)]


@pytest.mark.parametrize(
    "event_type", ["device.deleted", "device.maintenance", "user.suspended", "user.deleted"]
)
def test_other_events_are_never_held(event_type: str, fleet: Store, braked: Functions) -> None:
    decide(fleet, brake.engage, NOW)
    by_device = event_type.startswith("device")

    batch = [
        message(event_type, deviceId=f"d{n}") if by_device else message(event_type, userId=f"u{n}")
        for n in range(FLEET)
    ]

    assert braked.handle(*batch) == {"success": FLEET}
    assert released(fleet) == FLEET


def test_held_message_keeps_its_attempts_when_it_returns(
    fleet: Store, braked: Functions, queues: Queues
) -> None:
    decide(fleet, brake.engage, NOW)
    for _ in range(10):
        assert braked.handle(failed(1)) == {"retried": 1}
        ((_, properties, _),) = queues.take(RETRIES["device.failed"])
        assert properties.headers["x-attempt"] == 0

    decide(fleet, brake.release, NOW + MINUTE)
    assert braked.handle(failed(1), failed(1)) == {"success": 1, "duplicate": 1}
    assert released(fleet) == 1


def test_operator_sees_the_state_of_the_brake(fleet: Store, braked: Functions) -> None:
    braked.handle(*map(failed, range(12)))

    found, later = status(fleet), status(fleet, NOW + MINUTE)

    assert (found.state.engaged_at, found.engaged_by) == (NOW, "limit")
    assert (found.state.recent_releases, found.held, found.state.running) == (10, 2, FLEET)
    assert (later.state.engaged_at, later.state.recent_releases, later.held) == (NOW, 0, 0)
