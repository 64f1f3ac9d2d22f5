"""Messages are parked during an outage, and when no time is left."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, NoReturn

import pytest

from billing_events.rules import billing_rules
from scheduler.database.connection import Database
from scheduler.messaging.publisher import Publisher
from scheduler.payments.failure import PaymentsUnavailableError
from scheduler.payments.ledger import PaymentLedger
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.integration.broker import marked
from tests.integration.broker.marked import RAISES, REFUSED
from tests.integration.broker.watched import WatchedDatabase
from tests.support.together import eventually
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.integration.broker.conftest import MakeConsumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
PAYMENT = "billing.payment_failed"
NO_DATABASE = "mysql://nobody@127.0.0.1:1/nowhere"


class Context:
    """The context of an invocation with some seconds left."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self._end - time.monotonic()) * 1000))


def test_outage_parks_the_batch_repeatedly_without_using_attempts(
    hops: Hops, make_consumer: MakeConsumer, store: Store
) -> None:
    store.seed(world(held("d1"), held("d2")))
    away = make_consumer(database=NO_DATABASE)
    hops.publish(FAILED, deviceId="d1")
    hops.publish(FAILED, deviceId="d2", properties={"headers": {"x-attempt": 3}})

    for _ in range(2):
        assert hops.deliver(away, {FAILED: 2}) == {"retried": 2}

    assert hops.deliver(make_consumer(), {FAILED: 2}) == {"success": 2}
    assert store.rows("SELECT DISTINCT status FROM allocations") == [("RELEASED",)]
    assert hops.dead_letters() == []


def test_parked_message_keeps_its_attempts(hops: Hops, make_consumer: MakeConsumer) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1", properties={"headers": {"x-attempt": 2}})

    hops.deliver(make_consumer(database=NO_DATABASE), {FAILED: 1})
    assert hops.look(FAILED).headers["x-attempt"] == 2

    assert hops.deliver(make_consumer(), {FAILED: 1}) == {"retried": 1}
    assert hops.look(FAILED).headers["x-attempt"] == 3


def test_invalid_message_is_a_dead_letter_without_a_database(
    hops: Hops, make_consumer: MakeConsumer
) -> None:
    hops.publish(FAILED, body=b"{")

    assert hops.deliver(make_consumer(database=NO_DATABASE), {FAILED: 1}) == {"invalid": 1}


@pytest.mark.parametrize("seconds", [0, 0.9])
def test_message_without_time_left_is_parked_and_applied_later(
    hops: Hops, make_consumer: MakeConsumer, store: Store, seconds: float
) -> None:
    store.seed(world(held("d1")))
    consumer = make_consumer()
    hops.publish(FAILED, deviceId="d1")

    assert hops.deliver(consumer, {FAILED: 1}, Context(seconds)) == {"retried": 1}
    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]
    assert hops.look(FAILED).headers["x-attempt"] == 0

    assert hops.deliver(consumer, {FAILED: 1}, Context(60)) == {"success": 1}
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]


def test_when_time_runs_out_the_rest_is_parked_and_nothing_applied_twice(
    hops: Hops, consumer: Consumer, store: Store, vhost_url: str
) -> None:
    """Bisection of four messages takes several transactions; the first one uses up the time."""
    store.seed(world(held("d1", by="u1"), held("d2", by="u2"), held("d3", by="u3")))
    for device in ("d1", f"{REFUSED}1", "d2", "d3"):
        hops.publish(FAILED, deviceId=device)
    context = Context(3)

    def until_time_is_over(_: Exception) -> None:
        # In the last second nothing new is started.
        eventually(lambda: context.get_remaining_time_in_millis() < 990, "time runs out")

    settings = _settings(store, vhost_url)
    database, publisher = WatchedDatabase(settings, until_time_is_over), Publisher(settings)
    with closing(database), closing(publisher):
        hasty = Consumer(marked.events, settings, database=database, publisher=publisher)
        assert hops.deliver(hasty, {FAILED: 4}, context) == {"retried": 4}

    assert database.begun == 1
    assert store.rows("SELECT DISTINCT status FROM allocations") == [("ALLOCATED",)]
    assert hops.look(FAILED).headers["x-attempt"] == 0

    assert hops.deliver(consumer, {FAILED: 4}, Context(60)) == {"success": 3, "retried": 1}
    assert store.rows("SELECT COUNT(*), COUNT(DISTINCT user_id) FROM notifications") == [(3, 3)]


def test_batch_that_a_slow_database_does_not_finish_in_time_is_parked(
    hops: Hops, make_consumer: MakeConsumer, store: Store
) -> None:
    store.seed(world(held("d1")))
    consumer = make_consumer()
    hops.publish(FAILED, deviceId="d1")
    store.run("CREATE TRIGGER slow BEFORE INSERT ON processed_messages FOR EACH ROW DO SLEEP(2)")
    try:
        assert hops.deliver(consumer, {FAILED: 1}, Context(2)) == {"retried": 1}
    finally:
        store.run("DROP TRIGGER slow")

    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]
    assert hops.look(FAILED).headers["x-attempt"] == 0
    assert hops.deliver(consumer, {FAILED: 1}, Context(60)) == {"success": 1}


def test_batch_that_takes_longer_than_an_invocation_is_applied_in_parts(
    hops: Hops, make_consumer: MakeConsumer, store: Store
) -> None:
    devices = [f"d{n}" for n in range(8)]
    store.seed(world(*(held(device, by=f"user of {device}") for device in devices)))
    consumer = make_consumer()
    for device in devices:
        hops.publish(FAILED, deviceId=device)
    store.run("CREATE TRIGGER slow BEFORE INSERT ON processed_messages FOR EACH ROW DO SLEEP(0.3)")
    try:
        assert hops.deliver(consumer, {FAILED: 8}, Context(3)) == {"retried": 8}
        totals = hops.deliver(consumer, {FAILED: 8}, Context(3))
    finally:
        store.run("DROP TRIGGER slow")

    assert totals["success"] >= 2
    assert totals["success"] + totals.get("retried", 0) == 8


def test_message_that_takes_longer_than_an_invocation_does_not_keep_those_behind_it_waiting(
    hops: Hops, make_consumer: MakeConsumer, store: Store
) -> None:
    """It comes back with the same messages behind it, again and again."""
    devices = ("huge", "d1", "d2", "d3")
    store.seed(world(*(held(device, by=f"user of {device}") for device in devices)))
    consumer = make_consumer()
    for device in devices:
        hops.publish(FAILED, deviceId=device)
    store.run(
        "CREATE TRIGGER slow BEFORE INSERT ON processed_messages FOR EACH ROW"
        " BEGIN IF NEW.subject_id = 'huge' THEN DO SLEEP(2); END IF; END"
    )
    try:
        assert hops.deliver(consumer, {FAILED: 4}, Context(2)) == {"retried": 4}
        assert hops.deliver(consumer, {FAILED: 4}, Context(2)) == {"retried": 4}
        found = hops.deliver(consumer, {FAILED: 4}, Context(2))
    finally:
        store.run("DROP TRIGGER slow")

    assert found == {"success": 3, "retried": 1}
    assert hops.deliver(consumer, {FAILED: 1}, Context(60)) == {"success": 1}


class _UnavailableCounter:
    """A payment counter with an unreachable DynamoDB."""

    def count(self, *_: object) -> NoReturn:
        raise PaymentsUnavailableError("ProvisionedThroughputExceededException")

    count_together = reset = count


def test_outage_of_dynamodb_parks_payments(hops: Hops, store: Store, vhost_url: str) -> None:
    settings = _settings(store, vhost_url)
    database, publisher = Database(settings), Publisher(settings)
    consumer = Consumer(
        billing_rules(3),
        settings,
        ledger=PaymentLedger(_UnavailableCounter()),
        database=database,
        publisher=publisher,
    )
    hops.publish(PAYMENT)

    assert hops.deliver(consumer, {PAYMENT: 1}) == {"retried": 1}

    assert hops.look(PAYMENT).headers["x-attempt"] == 0
    assert store.rows("SELECT COUNT(*) FROM processed_messages") == [(0,)]
    assert store.rows("SELECT outcome, times FROM unapplied_messages") == [("parked", 1)]
    database.close()
    publisher.close()


def _settings(store: Store, vhost_url: str) -> ConsumerSettings:
    return ConsumerSettings.model_validate(
        {"DATABASE_URL": store.settings.database_url, "BROKER_URL": vhost_url}
    )
