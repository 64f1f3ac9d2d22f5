"""A lost connection causes repeated messages, but loses none."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.messaging.publisher import MAX_UNCONFIRMED, Publisher
from tests.integration.broker.line import Line, messages

if TYPE_CHECKING:
    from collections.abc import Callable

    from local.servers.rabbitmq import RabbitMQ

FATES = pytest.mark.parametrize("fate", [Line.cut, Line.forget])


def once(action: Callable[[], object], count: int) -> Callable[[int], object]:
    """Return a reaction that runs an action once, when ``count`` messages were sent."""
    left = [action]
    return lambda sent: left.pop()() if left and sent >= count else None


def assert_all_in_order(found: list[str], count: int) -> None:
    """Assert that no message is missing, and that first and last copies are in order."""
    wanted = [f"m-{n:04}" for n in range(count)]
    assert list(dict.fromkeys(found)) == wanted
    assert list(dict.fromkeys(reversed(found))) == wanted[::-1]


@FATES
def test_connection_lost_between_batches_is_reopened(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]], fate: Callable[[Line], None]
) -> None:
    publisher._timeout = 1
    sent = messages(4)
    publisher.publish(sent[:2])
    fate(line)

    publisher.publish(sent[2:])

    assert arrived() == ["m-0000", "m-0001", "m-0002", "m-0003"]


@FATES
@pytest.mark.parametrize("at", [1, MAX_UNCONFIRMED, MAX_UNCONFIRMED + 1, 2 * MAX_UNCONFIRMED])
def test_connection_lost_within_a_batch_is_reopened_and_the_rest_published(
    line: Line,
    publisher: Publisher,
    arrived: Callable[[], list[str]],
    fate: Callable[[Line], None],
    at: int,
) -> None:
    publisher._timeout = 1
    line.react = once(lambda: fate(line), at)

    publisher.publish(messages(2 * MAX_UNCONFIRMED))

    assert_all_in_order(arrived(), 2 * MAX_UNCONFIRMED)


def test_confirmed_messages_are_not_published_again(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    line.react = once(line.cut, MAX_UNCONFIRMED + 1)

    publisher.publish(messages(MAX_UNCONFIRMED + 10))

    assert arrived()[:MAX_UNCONFIRMED] == [f"m-{n:04}" for n in range(MAX_UNCONFIRMED)]
    assert line.messages <= MAX_UNCONFIRMED + 20


@pytest.mark.usefixtures("queue")
def test_silent_broker_fails_the_first_unconfirmed_message(
    line: Line, publisher: Publisher
) -> None:
    publisher._timeout = 1
    line.react = once(line.answers.clear, MAX_UNCONFIRMED + 1)

    with pytest.raises(BrokerUnavailableError, match=f"could not publish m-{MAX_UNCONFIRMED:04}"):
        publisher.publish(messages(MAX_UNCONFIRMED + 10))


def test_message_with_a_time_limit_is_published_on_a_new_connection_if_the_old_one_is_lost(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    first, second = messages(2)
    publisher.publish_within(first, 10)
    line.cut()

    publisher.publish_within(second, 10)

    assert arrived() == ["m-0000", "m-0001"]


@pytest.mark.usefixtures("queue")
def test_message_with_a_time_limit_is_not_sent_again_to_a_silent_broker(
    line: Line, publisher: Publisher
) -> None:
    first, second = messages(2)
    publisher.publish_within(first, 10)
    line.answers.clear()

    with pytest.raises(BrokerUnavailableError, match="could not publish m-0001"):
        publisher.publish_within(second, 0.3)

    assert line.messages == 2


# RabbitMQ 3.10 may lose a quorum queue declared less than a second before it is killed.
@pytest.mark.parametrize("queue", ["classic"], indirect=True)
@pytest.mark.usefixtures("queue")
def test_publishing_again_after_the_broker_was_killed_omits_nothing(
    line: Line, publisher: Publisher, rabbitmq: RabbitMQ, arrived: Callable[[], list[str]]
) -> None:
    sent, killed = messages(MAX_UNCONFIRMED + 10), Event()

    def kill() -> None:
        rabbitmq.kill()
        killed.set()

    line.react = once(kill, MAX_UNCONFIRMED + 1)
    with pytest.raises(BrokerUnavailableError, match="could not publish m-"):
        publisher.publish(sent)
    killed.wait()
    rabbitmq.start()

    publisher.publish(sent)

    found = arrived()
    ids = [one.properties["message_id"] for one in sent]
    assert found[:MAX_UNCONFIRMED] == ids[:MAX_UNCONFIRMED]
    assert found[-len(ids) :] == ids
