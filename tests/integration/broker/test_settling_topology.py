"""Conflicting queues and exchanges fail the declaration with a text that says what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pika
import pytest
from pika.exceptions import UnroutableError

from provisioning.custom_resource import MAX_REASON_BYTES
from scheduler.messaging import topology
from scheduler.messaging.declaration import TopologyConflictError, declare
from scheduler.messaging.topology import (
    DEAD_LETTER_EXCHANGE,
    EVENTS_EXCHANGE,
    WORK_QUEUES,
    WorkQueue,
)

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
    cleaning = connection.channel()
    for queue in topology.queues():
        cleaning.queue_delete(queue.name)
    cleaning.exchange_delete(EVENTS_EXCHANGE)
    connection.close()


def test_queue_with_another_argument_is_named_with_both_values_and_the_remedy(
    channel: BlockingChannel,
) -> None:
    ours = next(queue for queue in topology.queues() if queue.name == QUEUE.retry_name)
    theirs = {**ours.arguments, "x-message-ttl": 5000}
    channel.queue_declare(QUEUE.retry_name, durable=True, arguments=theirs)

    with pytest.raises(TopologyConflictError) as caught:
        declare(channel)

    _, conflict, remedy, _ = str(caught.value).splitlines()
    assert conflict == f"queue {QUEUE.retry_name}: x-message-ttl must be '60000', but is '5000'"
    assert "drain and delete it" in remedy


def test_queue_without_one_of_our_arguments_is_a_conflict(channel: BlockingChannel) -> None:
    channel.queue_declare(QUEUE.retry_name, durable=True, arguments={"x-queue-type": "quorum"})

    with pytest.raises(TopologyConflictError, match=f"queue {QUEUE.retry_name}: .* but is none"):
        declare(channel)


def test_exchange_of_another_type_is_named_with_both_types(channel: BlockingChannel) -> None:
    channel.exchange_declare(EVENTS_EXCHANGE, "fanout", durable=True)

    with pytest.raises(TopologyConflictError) as caught:
        declare(channel)

    _, conflict, remedy, _ = str(caught.value).splitlines()
    assert conflict == f"exchange {EVENTS_EXCHANGE}: type must be 'topic', but is 'fanout'"
    assert "the service that declared it" in remedy


def test_classic_queues_and_a_foreign_exchange_are_all_named_at_once(
    channel: BlockingChannel,
) -> None:
    channel.exchange_declare(EVENTS_EXCHANGE, "direct", durable=True)
    for work in WORK_QUEUES:
        arguments = {"x-message-ttl": 86_400_000, "x-dead-letter-exchange": DEAD_LETTER_EXCHANGE}
        channel.queue_declare(work.name, durable=True, arguments=arguments)

    with pytest.raises(TopologyConflictError) as caught:
        declare(channel)

    lines = str(caught.value).splitlines()
    assert lines[0] == "16 of the declarations conflict with the broker:"
    names = [EVENTS_EXCHANGE, *(work.name for work in WORK_QUEUES)]
    assert [line.partition(":")[0].split()[1] for line in lines[1:17]] == names
    assert all("must be" in line and "but is" in line for line in lines[1:17])
    assert len(str(caught.value).encode()) < MAX_REASON_BYTES, "CloudFormation shows all of it"


def test_conflicts_leave_the_bindings_as_they_were(channel: BlockingChannel) -> None:
    channel.exchange_declare(EVENTS_EXCHANGE, "topic", durable=True)
    channel.queue_declare(QUEUE.name, durable=True)
    other = WorkQueue("user.activated")

    with pytest.raises(TopologyConflictError):
        declare(channel)

    confirming = channel.connection.channel()
    confirming.confirm_delivery()
    with pytest.raises(UnroutableError):
        confirming.basic_publish(EVENTS_EXCHANGE, other.event_type, b"{}", mandatory=True)


def test_declaring_succeeds_once_the_conflicts_are_resolved(channel: BlockingChannel) -> None:
    for work in WORK_QUEUES:
        channel.queue_declare(work.name, durable=True)
    with pytest.raises(TopologyConflictError):
        declare(channel)

    again = channel.connection.channel()
    for work in WORK_QUEUES:
        again.queue_delete(work.name)
    declare(again)

    again.confirm_delivery()
    again.basic_publish(EVENTS_EXCHANGE, QUEUE.event_type, b"{}", mandatory=True)


def test_declaring_is_idempotent(channel: BlockingChannel) -> None:
    for _ in range(2):
        declare(channel)
