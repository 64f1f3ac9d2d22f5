"""The broker refuses dead letters: they wait in their retry queues, and stop nobody else."""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import pika
import pytest

from scheduler.messaging.outbound import MessageRefusedError
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE
from tests.support.events import message
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

RETRY = "scheduler.user-suspended.retry"
BROKEN = message("user.suspended", body=b"{")
ALL_LETTERS = "scheduler.*.failed"


@contextmanager
def no_dead_letters(broker_url: str) -> Iterator[None]:
    """Have the broker route no dead letters, as after somebody has deleted their queue."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.queue_unbind(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, ALL_LETTERS)
        try:
            yield
        finally:
            channel.queue_bind(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, ALL_LETTERS)


def test_message_that_cannot_become_a_dead_letter_is_parked_and_the_others_are_settled(
    store: Store, connected: Functions, broker_url: str, queues: Queues
) -> None:
    store.seed(world(held("d1"), held("d2", by="u2")))
    others = [message("user.suspended", userId=user) for user in ("u1", "u2")]

    with no_dead_letters(broker_url):
        assert connected.handle(others[0], BROKEN, others[1]) == {"success": 2, "retried": 1}

    (parked,) = queues.take(RETRY)
    assert (parked.body, parked.headers["x-attempt"]) == (BROKEN.body, 0)
    assert connected.handle(BROKEN) == {"invalid": 1}
    (letter,) = queues.take()
    assert letter.body == BROKEN.body


def test_message_that_kills_its_consumer_is_never_parked(
    store: Store, connected: Functions, broker_url: str, queues: Queues
) -> None:
    killer = message("user.suspended", redelivered=True)
    store.insert(
        "delivery_attempts",
        "queue, message_id, attempts, last_at",
        [(killer.queue, killer.delivery_key, 3, "2026-11-24")],
    )

    with no_dead_letters(broker_url), pytest.raises(MessageRefusedError):
        connected.handle(killer)

    assert queues.take(RETRY) == []
    assert connected.handle(killer) == {"dead_lettered": 1}


def test_message_of_an_unknown_queue_is_never_parked(connected: Functions, broker_url: str) -> None:
    event = {"rmqMessagesByQueue": {"unknown::/": [{"data": ""}]}}

    with no_dead_letters(broker_url), pytest.raises(MessageRefusedError):
        connected.invoke("user", event)
