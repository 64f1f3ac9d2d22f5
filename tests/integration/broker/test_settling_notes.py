"""When redelivered messages are noted, and when their notes are dropped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.pipeline.redelivery import KILLED
from tests.integration.broker.hops import QUEUES
from tests.integration.broker.marked import RAISES, REFUSED
from tests.support.functions import NOWHERE
from tests.support.world import held, world

if TYPE_CHECKING:
    from scheduler.pipeline.consumer import Consumer
    from tests.integration.broker.conftest import MakeConsumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
ATTEMPTS = "SELECT message_id, attempts FROM delivery_attempts ORDER BY message_id"
QUEUE = QUEUES[FAILED].name


def _note(store: Store, **attempts: int) -> None:
    """Write notes as crashed invocations leave them."""
    store.insert(
        "delivery_attempts",
        "queue, message_id, attempts, last_at",
        [(QUEUE, message_id, count, "2026-11-24") for message_id, count in attempts.items()],
    )


@pytest.mark.parametrize("device", ["d1", f"{RAISES}1", f"{REFUSED}1"])
def test_notes_of_a_message_are_dropped_with_any_outcome(
    hops: Hops, consumer: Consumer, store: Store, device: str
) -> None:
    hops.publish(FAILED, deviceId=device)
    hops.look(FAILED)

    hops.deliver(consumer, {FAILED: 1})

    assert store.rows(ATTEMPTS) == []


def test_redelivered_invalid_message_leaves_no_note(
    hops: Hops, consumer: Consumer, store: Store
) -> None:
    hops.publish(FAILED, body=b"{")
    hops.look(FAILED)

    assert hops.deliver(consumer, {FAILED: 1}) == {"invalid": 1}

    assert store.rows(ATTEMPTS) == []


def test_message_noted_once_is_processed_alone_after_the_others(
    hops: Hops, consumer: Consumer, store: Store
) -> None:
    store.seed(world(held("d1"), held("d2"), held("d3")))
    for device in ("d1", "d2", "d3"):
        hops.publish(FAILED, deviceId=device, properties={"message_id": device})
    hops.look(FAILED)
    _note(store, d1=1)

    assert hops.deliver(consumer, {FAILED: 3}) == {"success": 3}

    order = store.rows(
        "SELECT DISTINCT processed_at, message_id FROM processed_messages ORDER BY 1"
    )
    assert [message_id for _, message_id in order] == ["d2", "d3", "d1"]
    assert order[0][0] == order[1][0] < order[2][0]
    assert store.rows(ATTEMPTS) == []


def test_message_noted_twice_is_a_dead_letter_unprocessed(
    hops: Hops, consumer: Consumer, store: Store
) -> None:
    store.seed(world(held("d1"), held("d2")))
    hops.publish(FAILED, deviceId="d1", properties={"message_id": "killer"})
    hops.publish(FAILED, deviceId="d2")
    hops.look(FAILED)
    _note(store, killer=2)

    assert hops.deliver(consumer, {FAILED: 2}) == {"dead_lettered": 1, "success": 1}

    (letter,) = hops.dead_letters()
    assert letter.headers["x-error"] == KILLED
    assert letter.properties.message_id == "killer"
    assert store.rows("SELECT device_id, status FROM allocations ORDER BY device_id") == [
        ("d1", "ALLOCATED"),
        ("d2", "RELEASED"),
    ]
    assert store.rows(ATTEMPTS) == []


def test_messages_redelivered_during_a_broker_outage_are_not_suspected(
    hops: Hops, consumer: Consumer, make_consumer: MakeConsumer, store: Store
) -> None:
    lonely = make_consumer(broker=NOWHERE)
    hops.publish(FAILED, body=b"{")
    hops.publish(FAILED, deviceId=f"{RAISES}1")
    hops.publish(FAILED, deviceId=f"{REFUSED}1")

    for _ in range(5):
        with pytest.raises(BrokerUnavailableError):
            hops.deliver(lonely, {FAILED: 3})
        assert store.rows(ATTEMPTS) == []

    assert hops.deliver(consumer, {FAILED: 3}) == {"invalid": 1, "retried": 2}


def test_message_noted_as_a_killer_stays_one_during_a_broker_outage(
    hops: Hops, consumer: Consumer, make_consumer: MakeConsumer, store: Store
) -> None:
    hops.publish(FAILED, properties={"message_id": "killer"})
    hops.look(FAILED)
    _note(store, killer=2)

    with pytest.raises(BrokerUnavailableError):
        hops.deliver(make_consumer(broker=NOWHERE), {FAILED: 1})

    assert hops.deliver(consumer, {FAILED: 1}) == {"dead_lettered": 1}
