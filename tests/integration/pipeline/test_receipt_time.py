"""The time of first receipt: it travels with a message that names no time of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from scheduler.database import brake
from scheduler.domain.brake import BrakeLimits
from scheduler.messaging.message import to_milliseconds
from scheduler.pipeline.event_rules import EventRules
from tests.integration.ops.running import DeadLetters
from tests.integration.pipeline.hops import consume, consume_retries
from tests.support.deciding import FAMILIES, handling_of
from tests.support.events import QUEUE_OF, message
from tests.support.functions import Functions
from tests.support.locks import locked
from tests.support.world import HOUR, MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.domain.work import Work
    from scheduler.messaging.message import Message
    from tests.support.clock import Clock
    from tests.support.queues import Queues
    from tests.support.store import Store

FAILED, SUSPENDED = QUEUE_OF["device.failed"], QUEUE_OF["user.suspended"]
MAINTENANCE: Final = QUEUE_OF["device.maintenance"]


def running(**about: Any) -> Message:  # noqa: ANN401 - any field
    return message("device.status_changed", oldStatus="maintenance", newStatus="running", **about)


def health(store: Store, device_id: str = "d1") -> str:
    ((found,),) = store.rows("SELECT health FROM devices WHERE id = %s", device_id)
    return str(found)


def status(store: Store) -> str:
    ((found,),) = store.rows("SELECT status FROM users WHERE id = 'u1'")
    return str(found)


def released(store: Store) -> int:
    return len(store.rows("SELECT id FROM allocations WHERE status = 'RELEASED'"))


@pytest.fixture
def buggy(database_url: str, broker_url: str, clock: Clock) -> Iterator[Functions]:
    """Functions in which the rule for suspensions raises."""
    rules = EventRules()

    def rule(event: object, work: Work) -> None:
        raise LookupError(f"a bug: {event} {work}")

    rules.on(handling_of(SUSPENDED).contract)(rule)
    changed = {**FAMILIES, "user": rules}
    with Functions(database_url, broker_url, clock=clock, rules=changed) as made:
        yield made


@pytest.mark.usefixtures("short_lock_waits")
@pytest.mark.parametrize("named", [True, False])
def test_parked_maintenance_does_not_undo_a_recovery_meanwhile(
    *, named: bool, store: Store, connected: Functions, queues: Queues, clock: Clock
) -> None:
    store.seed(world(held("d1")))
    with locked(store.settings, "SELECT * FROM devices WHERE id = 'd1' FOR UPDATE"):
        sent = message("device.maintenance", id="" if named else None)
        assert connected.handle(sent) == {"retried": 1}

    clock.wait(MINUTE / 2)
    assert connected.handle(running()) == {"success": 1}
    clock.wait(MINUTE / 2)

    assert consume_retries(connected, queues, MAINTENANCE) == {"outdated": 1}
    assert (health(store), released(store)) == ("running", 0)


def test_batch_parked_by_an_outage_keeps_the_time_of_its_receipt(
    store: Store, connected: Functions, queues: Queues, clock: Clock, broker_url: str
) -> None:
    store.seed(world(held("d1")))
    sent = message("device.maintenance", id=None)
    with Functions("mysql://nobody@127.0.0.1:1/nowhere", broker_url, clock=clock) as away:
        assert away.handle(sent) == {"retried": 1}
        clock.wait(MINUTE)
        assert consume_retries(away, queues, MAINTENANCE) == {"retried": 1}
    connected.handle(running())
    clock.wait(MINUTE)

    assert consume_retries(connected, queues, MAINTENANCE) == {"outdated": 1}
    assert health(store) == "running"


def test_retried_suspension_does_not_undo_a_later_activation(
    store: Store,
    buggy: Functions,
    connected: Functions,
    queues: Queues,
    clock: Clock,
) -> None:
    store.seed(world(held("d1")))
    assert buggy.handle(message("user.suspended", id=None)) == {"retried": 1}
    clock.wait(MINUTE / 2)
    connected.handle(message("user.activated"))
    clock.wait(MINUTE / 2)

    assert consume_retries(connected, queues, SUSPENDED) == {"outdated": 1}
    assert (status(store), released(store)) == ("active", 0)


@pytest.mark.parametrize("named", [True, False])
def test_suspension_replayed_after_an_hour_does_not_suspend_an_activated_user(
    *,
    named: bool,
    store: Store,
    buggy: Functions,
    connected: Functions,
    queues: Queues,
    clock: Clock,
    broker_url: str,
) -> None:
    store.seed(world(held("d1")))
    last = message("user.suspended", id="" if named else None, headers={"x-attempt": 3})
    assert buggy.handle(last) == {"dead_lettered": 1}
    clock.wait(MINUTE)
    connected.handle(message("user.activated"))
    clock.wait(HOUR)

    assert DeadLetters(broker_url).json("replay")["replayed"] == 1

    assert consume(connected, queues, SUSPENDED) == {"outdated": 1}
    assert (status(store), released(store)) == ("active", 0)


def test_replayed_letter_without_a_newer_event_is_applied_with_its_first_time(
    store: Store,
    buggy: Functions,
    connected: Functions,
    queues: Queues,
    clock: Clock,
    broker_url: str,
) -> None:
    store.seed(world(held("d1")))
    last = message("user.suspended", id=None, headers={"x-attempt": 3})
    buggy.handle(last)
    clock.wait(HOUR)
    DeadLetters(broker_url).json("replay")

    assert consume(connected, queues, SUSPENDED) == {"success": 1}

    assert [row.occurred_at for row in store.state()["marks"]] == [NOW]
    assert (status(store), released(store)) == ("suspended", 1)


def test_time_ahead_counts_as_the_first_receipt_after_a_replay(
    store: Store,
    buggy: Functions,
    connected: Functions,
    queues: Queues,
    clock: Clock,
    broker_url: str,
) -> None:
    store.seed(world(user("u1")))
    last = message("user.suspended", at=NOW + 8 * HOUR, headers={"x-attempt": 3})
    buggy.handle(last)
    clock.wait(MINUTE)
    connected.handle(message("user.activated"))
    clock.wait(HOUR)
    DeadLetters(broker_url).json("replay")

    assert consume(connected, queues, SUSPENDED) == {"outdated": 1}
    assert status(store) == "active"


def test_failures_without_a_time_are_outdated_once_devices_run_again(
    store: Store, queues: Queues, clock: Clock, database_url: str, broker_url: str
) -> None:
    """What an operator does about false reports: report the devices running, then arm the brake."""
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(10))))
    limits = BrakeLimits(share=0.2, devices=2)
    batch = [message("device.failed", id=None, deviceId=f"d{n}") for n in range(10)]
    with Functions(database_url, broker_url, clock=clock, brake=limits) as braked:
        assert braked.handle(*batch) == {"success": 2, "retried": 8}
        clock.wait(MINUTE)
        assert consume_retries(braked, queues, FAILED) == {"retried": 8}
        clock.wait(MINUTE)
        assert braked.handle(*(running(deviceId=f"d{n}") for n in range(10))) == {"success": 10}
        with store.database.transaction() as cursor:
            brake.arm(cursor)
        clock.wait(MINUTE)

        assert consume_retries(braked, queues, FAILED) == {"outdated": 8}

    assert released(store) == 2
    assert {health(store, f"d{n}") for n in range(10)} == {"running"}


def test_released_brake_applies_failures_of_devices_that_did_not_recover(
    store: Store, queues: Queues, clock: Clock, database_url: str, broker_url: str
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(10))))
    limits = BrakeLimits(share=0.2, devices=2)
    batch = [message("device.failed", id=None, deviceId=f"d{n}") for n in range(10)]
    with Functions(database_url, broker_url, clock=clock, brake=limits) as braked:
        braked.handle(*batch)
        clock.wait(MINUTE)
        with store.database.transaction() as cursor:
            brake.release(cursor, clock.now + HOUR)

        assert consume_retries(braked, queues, FAILED) == {"success": 8}

    assert released(store) == 10
    marks = {row.occurred_at for row in store.state()["marks"]}
    assert marks == {NOW}


def test_receipt_is_in_milliseconds_in_every_header_it_travels_in(
    store: Store, buggy: Functions, queues: Queues, clock: Clock
) -> None:
    store.seed(world(user("u1")))
    buggy.handle(message("user.suspended"))
    for _ in range(3):
        (waiting,) = queues.take(f"{SUSPENDED}.retry")
        assert waiting.headers["x-received-at"] == to_milliseconds(NOW)
        clock.wait(MINUTE)
        buggy.handle(message("user.suspended", headers=waiting.headers))

    (letter,) = queues.take()
    assert letter.headers["x-received-at"] == to_milliseconds(NOW)
