"""Reading dead letters loses none and keeps their order."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING

import pika
import pytest

from operations.dead_letters.queue import DeadLetterQueue, dead_letter_queue
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, queues
from tests.integration.ops.letters import Broker, letter, numbered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.ops.running import DeadLetters

EVENTS = ("device.failed", "user.suspended", "billing.overdue")


@contextmanager
def opened(broker: Broker, block_size: int = 1000) -> Iterator[DeadLetterQueue]:
    with (
        closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection,
        dead_letter_queue(connection, block_size) as queue,
    ):
        yield queue


def test_repeated_reading_keeps_the_order(broker: Broker, dead_letters: DeadLetters) -> None:
    ids = numbered(range(120))
    broker.publish(*(letter(EVENTS[n % 3], id=id_) for n, id_ in enumerate(ids)))

    for _ in range(7):
        assert dead_letters.json("list")["total"] == 120
        assert dead_letters.json("show", "--limit", "7")["letters"][6]["id"] == ids[6]
        assert dead_letters.json("replay", "--queue", EVENTS[1], "--dry-run")["replayed"] == 40

    assert broker.ids(DEAD_LETTER_QUEUE) == ids


def test_delivery_limit_allows_repeated_reading() -> None:
    """RabbitMQ 4 dead-letters after 20 deliveries; on 3.x a negative limit means none at all."""
    (queue,) = (one for one in queues() if one.name == DEAD_LETTER_QUEUE)

    assert queue.arguments["x-delivery-limit"] > 1_000_000


@pytest.mark.parametrize("removed", [0, 20])
def test_letters_of_several_blocks_keep_their_order(broker: Broker, removed: int) -> None:
    ids = numbered(range(35))
    broker.publish(*(letter(id=id_) for id_ in ids))

    with opened(broker, block_size=10) as queue:
        seen = []
        for one in queue.letters():
            seen.append(one.letter.id)
            if len(seen) <= removed:
                one.remove()

    assert seen == ids
    assert broker.ids(DEAD_LETTER_QUEUE) == ids[removed:]


@pytest.mark.parametrize("wanted", [0, 1, 10, 15, 35])
def test_letters_keep_their_order_when_only_some_are_read(broker: Broker, wanted: int) -> None:
    ids = numbered(range(35))
    broker.publish(*(letter(id=id_) for id_ in ids))

    for _ in range(3):
        with opened(broker, block_size=10) as queue:
            seen = [one.letter.id for one in islice(queue.letters(), wanted)]
        assert seen == ids[:wanted]

    assert broker.ids(DEAD_LETTER_QUEUE) == ids


def test_letters_that_arrive_while_reading_are_left_in_the_queue(broker: Broker) -> None:
    broker.publish(letter(id="first"), letter(id="second"))

    with opened(broker) as queue:
        broker.publish(letter(id="third"))
        seen = [one.letter.id for one in queue.letters()]

    assert seen == ["first", "second"]
    assert broker.ids(DEAD_LETTER_QUEUE) == ["first", "second", "third"]


def test_note_says_that_another_program_reads_letters(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    broker.publish(letter(), letter())

    with opened(broker) as queue:
        assert len(list(queue.letters())) == 2
        result = dead_letters.run("list")

    assert result.stdout == "0 dead letters.\n"
    assert "another program is reading dead letters" in result.stderr
