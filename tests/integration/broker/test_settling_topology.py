"""A conflicting queue or exchange fails the declaration with a text that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pika
import pytest

from scheduler.messaging import topology
from scheduler.messaging.declaration import TopologyConflictError, declare
from scheduler.messaging.topology import EVENTS_EXCHANGE, WorkQueue

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from local.servers.rabbitmq import RabbitMQ

QUEUE = WorkQueue("device.failed")


@pytest.fixture
def channel(rabbitmq: RabbitMQ) -> Iterator[BlockingChannel]:
    """Return a channel of a vhost with a foreign exchange and a foreign queue."""
    if rabbitmq.failure():
        rabbitmq.start()
    connection = pika.BlockingConnection(pika.URLParameters(rabbitmq.create_vhost("conflicts")))
    yield connection.channel()
    connection.channel().queue_delete(QUEUE.retry_name)
    connection.channel().exchange_delete(EVENTS_EXCHANGE)
    connection.close()


def test_queue_with_another_argument_is_named_with_both_values_and_the_remedy(
    channel: BlockingChannel,
) -> None:
    ours = next(queue for queue in topology.queues() if queue.name == QUEUE.retry_name)
    theirs = {**ours.arguments, "x-message-ttl": 5000}
    channel.queue_declare(QUEUE.retry_name, durable=True, arguments=theirs)

    with pytest.raises(TopologyConflictError) as caught:
        declare(channel)

    text = str(caught.value)
    assert text.startswith(f"queue {QUEUE.retry_name} exists with another x-message-ttl")
    assert "'60000'" in text
    assert "'5000'" in text
    assert "drain and delete it, then declare it again" in text


def test_queue_without_one_of_our_arguments_is_a_conflict(
    channel: BlockingChannel,
) -> None:
    channel.queue_declare(QUEUE.retry_name, durable=True, arguments={"x-queue-type": "quorum"})

    with pytest.raises(TopologyConflictError, match=f"queue {QUEUE.retry_name} .* it has none"):
        declare(channel)


def test_exchange_of_another_type_is_named_with_both_types(channel: BlockingChannel) -> None:
    channel.exchange_declare(EVENTS_EXCHANGE, "fanout", durable=True)

    with pytest.raises(TopologyConflictError) as caught:
        declare(channel)

    text = str(caught.value)
    assert text.startswith(f"exchange {EVENTS_EXCHANGE} exists with another type")
    assert "'topic'" in text
    assert "'fanout'" in text
    assert "agree with the service that declared it" in text


def test_declaring_is_idempotent(channel: BlockingChannel) -> None:
    for _ in range(2):
        declare(channel)
