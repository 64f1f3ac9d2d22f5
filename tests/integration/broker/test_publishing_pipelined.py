"""Many messages are under way at once, and not too many."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING

from scheduler.messaging.publisher import MAX_UNCONFIRMED, Publisher
from tests.integration.broker.line import Line, messages

if TYPE_CHECKING:
    from collections.abc import Callable


def _hold_answers_until(line: Line, count: int) -> list[int]:
    """Let the broker answer again when so many messages were sent; note how many there were."""
    noted: list[int] = []

    def react(sent: int) -> None:
        if sent >= count and not line.answers.is_set():
            noted.append(sent)
            line.answers.set()

    line.react = react
    line.answers.clear()
    return noted


def test_a_hundred_messages_are_sent_before_the_confirm_of_any_is_awaited(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    first, *others = messages(101)
    publisher.publish([first])
    noted = _hold_answers_until(line, 101)

    publisher.publish(others)

    assert noted == [101]
    assert arrived() == [one.properties["message_id"] for one in (first, *others)]


def test_no_more_than_a_window_is_unconfirmed(
    line: Line, publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    sent = messages(2 * MAX_UNCONFIRMED + 50)
    publisher.publish(sent[:1])
    noted = _hold_answers_until(line, 1 + MAX_UNCONFIRMED)

    publisher.publish(sent[1:])

    assert noted == [1 + MAX_UNCONFIRMED]
    assert arrived() == [one.properties["message_id"] for one in sent]


def test_while_the_broker_is_silent_publishing_does_not_return(
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


def test_one_batch_after_the_other_is_confirmed_on_one_connection(
    publisher: Publisher, arrived: Callable[[], list[str]]
) -> None:
    """Messages are numbered by channel: were they numbered by batch, each would come twice."""
    sent = messages(5)
    for message in sent:
        publisher.publish([message])

    assert arrived() == [one.properties["message_id"] for one in sent]
