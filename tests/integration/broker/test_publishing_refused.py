"""A message that the broker does not accept makes publishing fail, and is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.publisher import Publisher
from tests.integration.broker.line import QUEUE, messages
from tests.support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel


@pytest.fixture
def room_for_one(channel: BlockingChannel) -> Iterator[None]:
    full = {"x-max-length": 1, "x-overflow": "reject-publish"}
    channel.queue_declare(QUEUE, durable=True, arguments=full)
    yield
    channel.queue_delete(QUEUE)


def test_unroutable_message_is_named(
    publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    sent = messages(3)
    sent[1] = messages(2, "nowhere")[1]

    with pytest.raises(BrokerUnavailableError, match="m-0001 to queue nowhere: returned, NO_ROUTE"):
        publisher.publish(sent)

    assert arrived() == ["m-0000", "m-0002"]


def test_unroutable_message_is_dropped_without_mandatory(
    publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    optional = Publisher(publisher._settings, mandatory=False)

    optional.publish([*messages(1, "nowhere"), *messages(2)])
    optional.close()

    assert arrived() == ["m-0000", "m-0001"]


@pytest.mark.usefixtures("room_for_one")
@pytest.mark.parametrize("mandatory", [True, False])
def test_message_refused_by_a_full_queue_is_named(
    publisher: Publisher, broker_url: str, *, mandatory: bool
) -> None:
    strict = Publisher(publisher._settings, mandatory=mandatory)

    with pytest.raises(BrokerUnavailableError, match=f"m-0001 to queue {QUEUE}: refused"):
        strict.publish(messages(3))

    assert Queues(broker_url).depth(QUEUE) == 1


def test_missing_exchange_is_named(publisher: Publisher) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"m-1 to no\.such k: .*404.*NOT_FOUND"):
        publisher.publish([OutboundMessage("no.such", "k", b"", {"message_id": "m-1"})])


def test_first_of_many_failures_is_named(publisher: Publisher) -> None:
    with pytest.raises(BrokerUnavailableError, match="m-0000 to queue nowhere"):
        publisher.publish(messages(100, "nowhere"))


def test_publishing_works_after_a_failure(
    publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    for _ in range(2):
        with pytest.raises(BrokerUnavailableError):
            publisher.publish(messages(2, "nowhere"))
        publisher.publish(messages(2))

    assert arrived() == ["m-0000", "m-0001"] * 2
