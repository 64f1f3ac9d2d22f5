"""The mass-failure brake in the pipeline: releases beyond the limit are held, and none is lost."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database import brake, running_devices
from scheduler.domain.brake import BrakeLimits
from scheduler.domain.model import Health
from scheduler.messaging.topology import WORK_QUEUES
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.store import Store
from tests.support.together import together
from tests.support.world import MINUTE, NOW, SECOND, device, held, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.messaging.message import Message
    from tests.support.queues import Queues

LIMITS = BrakeLimits(share=0.2, devices=5)
FLEET = 50
"""Running devices, all of them allocated; ten of them may fail within a minute."""

RETRIES = {queue.event_type: queue.retry_name for queue in WORK_QUEUES}


class Clock:
    """The clock of the functions; a test sets its time."""

    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def fleet(store: Store) -> Store:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(FLEET))))
    decide(store, count_running, NOW)
    return store


@pytest.fixture
def environment(
    database_url: str, broker_url: str, clock: Clock
) -> Iterator[Callable[[], Functions]]:
    """Return a function that starts an execution environment."""
    made: list[Functions] = []

    def start() -> Functions:
        made.append(Functions(database_url, broker_url, clock=clock, brake=LIMITS))
        return made[-1]

    yield start
    for one in made:
        one.__exit__(None, None, None)


@pytest.fixture
def functions(environment: Callable[[], Functions]) -> Functions:
    return environment()


def failed(n: int, **fields: Any) -> Message:  # noqa: ANN401 - any field
    return message("device.failed", id=f"failed-{n}", deviceId=f"d{n}", **fields)


def stopped(n: int) -> Message:
    return message(
        "device.status_changed",
        id=f"stopped-{n}",
        deviceId=f"d{n}",
        oldStatus="running",
        newStatus="stopped",
    )


def released(store: Store) -> int:
    ((count,),) = store.rows("SELECT COUNT(*) FROM allocations WHERE status = 'RELEASED'")
    return int(count)


def decide(store: Store, decision: Callable[..., None], *when: datetime) -> None:
    with store.database.transaction() as cursor:
        decision(cursor, *when)


def count_running(cursor: Cursor, now: datetime) -> None:
    assert running_devices.count_running(cursor, FLEET + 1, now)


def status(store: Store, now: datetime = NOW) -> brake.BrakeStatus:
    with store.database.transaction() as cursor:
        return brake.read_status(cursor, now)


def test_messages_beyond_the_limit_only_mark_their_devices_as_failed(
    fleet: Store, functions: Functions, queues: Queues
) -> None:
    totals = functions.handle(*map(failed, range(13)))

    assert totals == {"success": 10, "retried": 3}
    assert released(fleet) == 10
    assert fleet.rows("SELECT COUNT(*) FROM devices WHERE health = 'failed'") == [(13,)]
    assert len(fleet.state()["processed"]) == 10
    waiting = queues.take(RETRIES["device.failed"])
    assert [one.properties.message_id for one in waiting] == ["failed-10", "failed-11", "failed-12"]
    assert {one.headers["x-attempt"] for one in waiting} == {0}


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
    fleet: Store, functions: Functions, clock: Clock
) -> None:
    for n in range(30):
        clock.now = NOW + n * 12 * SECOND
        assert functions.handle(failed(n)) == {"success": 1}

    assert released(fleet) == 30


def test_releases_are_not_counted_after_a_minute(
    fleet: Store, functions: Functions, clock: Clock
) -> None:
    functions.handle(*map(failed, range(10)))
    clock.now += MINUTE

    assert functions.handle(*map(failed, range(10, 18))) == {"success": 8}
    assert released(fleet) == 18


def test_operator_can_open_the_brake_for_a_time(
    fleet: Store, functions: Functions, clock: Clock
) -> None:
    functions.handle(*map(failed, range(20)))
    decide(fleet, brake.release, clock.now + 10 * MINUTE)

    assert functions.handle(*map(failed, range(10, 40))) == {"success": 30}

    clock.now += 10 * MINUTE
    decide(fleet, count_running, clock.now)
    assert functions.handle(*map(failed, range(40, 50))) == {"success": 5, "retried": 5}


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


def test_manually_engaged_brake_holds_the_first_message(fleet: Store, functions: Functions) -> None:
    decide(fleet, brake.engage, NOW)

    assert functions.handle(failed(1), stopped(2)) == {"retried": 2}
    assert released(fleet) == 0


def test_messages_that_release_nothing_are_not_held(fleet: Store, functions: Functions) -> None:
    fleet.seed(world(*(device(f"free{n}") for n in range(30))))
    decide(fleet, brake.engage, NOW)
    recovered = message(
        "device.status_changed", deviceId="d1", oldStatus="stopped", newStatus="running"
    )

    free = [message("device.failed", deviceId=f"free{n}") for n in range(30)]

    assert functions.handle(*free) == {"success": 30}
    assert functions.handle(recovered) == {"success": 1}


def test_device_that_recovered_while_held_is_not_released(
    fleet: Store, functions: Functions
) -> None:
    decide(fleet, brake.engage, NOW)
    broken = failed(1, timestamp=(NOW - MINUTE).isoformat())
    assert functions.handle(broken) == {"retried": 1}
    functions.handle(
        message("device.status_changed", deviceId="d1", oldStatus="failed", newStatus="running")
    )
    decide(fleet, brake.arm)

    assert functions.handle(broken) == {"outdated": 1}

    assert released(fleet) == 0
    assert fleet.rows("SELECT health FROM devices WHERE id = 'd1'") == [(Health.RUNNING,)]


@pytest.mark.parametrize(
    "event_type", ["device.deleted", "device.maintenance", "user.suspended", "user.deleted"]
)
def test_other_events_are_never_held(event_type: str, fleet: Store, functions: Functions) -> None:
    decide(fleet, brake.engage, NOW)
    by_device = event_type.startswith("device")

    batch = [
        message(event_type, deviceId=f"d{n}") if by_device else message(event_type, userId=f"u{n}")
        for n in range(FLEET)
    ]

    assert functions.handle(*batch) == {"success": FLEET}
    assert released(fleet) == FLEET


def test_held_message_keeps_its_attempts_when_it_returns(
    fleet: Store, functions: Functions, queues: Queues
) -> None:
    decide(fleet, brake.engage, NOW)
    for _ in range(10):
        assert functions.handle(failed(1)) == {"retried": 1}
        ((_, properties, _),) = queues.take(RETRIES["device.failed"])
        assert properties.headers["x-attempt"] == 0

    decide(fleet, brake.release, NOW + MINUTE)
    assert functions.handle(failed(1), failed(1)) == {"success": 1, "duplicate": 1}
    assert released(fleet) == 1


def test_operator_sees_the_state_of_the_brake(fleet: Store, functions: Functions) -> None:
    functions.handle(*map(failed, range(12)))

    found, later = status(fleet), status(fleet, NOW + MINUTE)

    assert (found.state.engaged_at, found.engaged_by) == (NOW, "limit")
    assert (found.state.recent_releases, found.held, found.state.running) == (10, 2, FLEET)
    assert (later.state.engaged_at, later.state.recent_releases, later.held) == (NOW, 0, 0)


@pytest.mark.parametrize("size", [1, 10, 100, 1000])
def test_brake_costs_a_select_and_an_upsert_for_any_batch_size(
    size: int, store: Store, database_url: str
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(size))))
    limits = BrakeLimits(share=1, devices=20)
    with Functions(database_url, brake=limits) as functions, counted(functions.database) as spent:
        functions.handle(*map(failed, range(size)))

    assert (spent.selects, spent.writes, spent.commits) == (5, 8, 1)


@pytest.mark.usefixtures("fleet")
def test_batch_that_trips_costs_one_more_statement_and_a_note(
    functions: Functions,
) -> None:
    with counted(functions.database) as tripping:
        functions.handle(*map(failed, range(20)))
    with counted(functions.database) as holding:
        functions.handle(*map(failed, range(20, 40)))
    with counted(functions.database) as holding_again:
        functions.handle(*map(failed, range(20, 40)))

    assert (tripping.selects, tripping.writes, tripping.commits) == (5, 10, 2)
    assert (holding.selects, holding.writes, holding.commits) == (5, 3, 2)
    assert (holding_again.selects, holding_again.writes, holding_again.commits) == (5, 2, 2)


def test_no_device_is_read_to_compare_with_the_limit(fleet: Store) -> None:
    with fleet.database.transaction() as cursor:
        brake.query(cursor, LIMITS, NOW)()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        before = cursor.fetchall()
        brake.query(cursor, LIMITS, NOW)()
        cursor.execute("SHOW SESSION STATUS LIKE 'Handler_read%%'")
        read = sum(int(n) for _, n in cursor.fetchall()) - sum(int(n) for _, n in before)

    assert read < FLEET


def test_devices_that_were_released_before_the_count_were_running(
    fleet: Store, functions: Functions, clock: Clock
) -> None:
    functions.handle(*map(failed, range(5)))
    clock.now += SECOND
    decide(fleet, count_running, clock.now)

    assert functions.handle(*map(failed, range(5, 15))) == {"success": 5, "retried": 5}


@pytest.mark.usefixtures("store")
def test_without_a_count_the_fixed_number_is_the_limit(functions: Functions, store: Store) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(FLEET))))

    totals = functions.handle(*map(failed, range(8)))

    assert totals == {"success": LIMITS.devices, "retried": 8 - LIMITS.devices}


def test_count_of_a_large_fleet_is_stored_when_it_is_complete(fleet: Store) -> None:
    fleet.run("UPDATE devices SET health = 'stopped' WHERE id = 'd7'")
    decide(fleet, brake.arm)
    running = []
    for _ in range(3):
        with fleet.database.transaction() as cursor:
            complete = running_devices.count_running(cursor, 20, NOW + MINUTE)
        running.append((complete, status(fleet).state.running))

    assert running == [(False, FLEET), (False, FLEET), (True, FLEET - 1)]
