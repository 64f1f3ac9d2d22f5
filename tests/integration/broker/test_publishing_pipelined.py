"""Many messages are published before their confirms arrive, up to a limit."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from scheduler.messaging.publisher import MAX_UNCONFIRMED, Publisher
from tests.integration.broker.line import Line, messages

if TYPE_CHECKING:
    from collections.abc import Callable


def _hold_answers_until(line: Line, count: int) -> list[int]:
    """Hold back the broker's answers until ``count`` messages were sent; record their number."""
    noted: list[int] = []

    def react(sent: int) -> None:
        if sent >= count and not line.answers.is_set():
            noted.append(sent)
            line.answers.set()

    line.react = react
    line.answers.clear()
    return noted


def test_messages_are_sent_before_confirms_are_awaited(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    first, *others = messages(101)
    publisher.publish([first])
    noted = _hold_answers_until(line, 101)

    publisher.publish(others)

    assert noted == [101]
    assert arrived() == [one.properties["message_id"] for one in (first, *others)]


def test_number_of_unconfirmed_messages_is_limited(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    sent = messages(2 * MAX_UNCONFIRMED + 50)
    publisher.publish(sent[:1])
    noted = _hold_answers_until(line, 1 + MAX_UNCONFIRMED)

    publisher.publish(sent[1:])

    assert noted == [1 + MAX_UNCONFIRMED]
    assert arrived() == [one.properties["message_id"] for one in sent]


def test_publishing_does_not_return_before_the_broker_confirms(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    publisher.publish(messages(1))
    publishing = Thread(target=publisher.publish, args=(messages(3),))
    waits: list[bool] = []

    def react(sent: int) -> None:
        if sent == 1 + 3:
            waits.append(publishing.is_alive())
            line.answers.set()

    line.react = react
    line.answers.clear()
    publishing.start()
    publishing.join()

    assert waits == [True]
    assert arrived() == ["m-0000", "m-0000", "m-0001", "m-0002"]


def test_successive_batches_are_confirmed_on_one_connection(
    publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    """Confirms number messages by channel; a count by batch would publish each twice."""
    sent = messages(5)
    for message in sent:
        publisher.publish([message])

    assert arrived() == [one.properties["message_id"] for one in sent]
