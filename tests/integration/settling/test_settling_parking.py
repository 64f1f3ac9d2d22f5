"""While a database is away, and when time runs out, messages are parked: nobody's failure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import pytest

from billing_events.rules import billing_rules
from scheduler.database.connection import Database
from scheduler.messaging.publisher import Publisher
from scheduler.payments.errors import PaymentsUnavailableError
from scheduler.payments.ledger import PaymentLedger
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.integration.settling.marked import RAISES
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.integration.settling.conftest import MakeConsumer
    from tests.integration.settling.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
PAYMENT = "billing.payment_failed"
NO_DATABASE = "mysql://nobody@127.0.0.1:1/nowhere"


@dataclass
class Context:
    """The context of an invocation that has so many milliseconds left."""

    left: int

    def get_remaining_time_in_millis(self) -> int:
        return self.left


def test_an_outage_parks_the_whole_batch_again_and_again_without_using_up_attempts(
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


def test_a_message_keeps_the_attempts_it_had_when_it_was_parked(
    hops: Hops, make_consumer: MakeConsumer
) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1", properties={"headers": {"x-attempt": 2}})

    hops.deliver(make_consumer(database=NO_DATABASE), {FAILED: 1})
    assert hops.look(FAILED).headers["x-attempt"] == 2

    assert hops.deliver(make_consumer(), {FAILED: 1}) == {"retried": 1}
    assert hops.look(FAILED).headers["x-attempt"] == 3


def test_a_malformed_message_needs_no_database_to_be_a_dead_letter(
    hops: Hops, make_consumer: MakeConsumer
) -> None:
    hops.publish(FAILED, body=b"{")

    assert hops.deliver(make_consumer(database=NO_DATABASE), {FAILED: 1}) == {"invalid": 1}


@pytest.mark.parametrize("left", [0, 900])
def test_what_finds_no_time_left_is_parked_and_done_by_the_next_invocation(
    hops: Hops, make_consumer: MakeConsumer, store: Store, left: int
) -> None:
    store.seed(world(held("d1")))
    consumer = make_consumer()
    hops.publish(FAILED, deviceId="d1")

    assert hops.deliver(consumer, {FAILED: 1}, Context(left)) == {"retried": 1}
    assert store.rows("SELECT status FROM allocations") == [("ALLOCATED",)]
    assert hops.look(FAILED).headers["x-attempt"] == 0

    assert hops.deliver(consumer, {FAILED: 1}, Context(60_000)) == {"success": 1}
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]


class _AwayCounter:
    """A payment counter whose DynamoDB cannot be reached."""

    def count(self, *_: object) -> NoReturn:
        raise PaymentsUnavailableError("ProvisionedThroughputExceededException")

    reset = count


def test_an_outage_of_dynamodb_parks_payments_as_well(
    hops: Hops, store: Store, vhost_url: str
) -> None:
    settings = ConsumerSettings.model_validate(
        {"DATABASE_URL": store.settings.database_url, "BROKER_URL": vhost_url}
    )
    database, publisher = Database(settings), Publisher(settings)
    consumer = Consumer(
        billing_rules(3),
        settings,
        ledger=PaymentLedger(_AwayCounter()),
        database=database,
        publisher=publisher,
    )
    hops.publish(PAYMENT)

    assert hops.deliver(consumer, {PAYMENT: 1}) == {"retried": 1}

    assert hops.look(PAYMENT).headers["x-attempt"] == 0
    assert store.rows("SELECT COUNT(*) FROM processed_messages") == [(0,)]
    database.close()
    publisher.close()
