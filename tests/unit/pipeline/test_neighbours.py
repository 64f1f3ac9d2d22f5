"""Which messages are next to a message in its batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scheduler.pipeline.neighbours import Neighbours, NeighboursOfBatch
from tests.support.events import message

if TYPE_CHECKING:
    from scheduler.messaging.message import Message


def named(*ids: str) -> list[Message]:
    return [message("user.suspended", id=id_) for id_ in ids]


def test_neighbours_are_the_messages_before_and_after() -> None:
    batch = named("a", "b", "c")

    neighbours = NeighboursOfBatch(batch)

    assert [neighbours.take(one) for one in batch] == [("", "b"), ("a", "c"), ("b", "")]


def test_equal_messages_have_their_neighbours_in_their_order_and_are_none_of_each_other() -> None:
    batch = named("a", "same", "same", "b", "same")

    neighbours = NeighboursOfBatch(batch)

    same = [neighbours.take(batch[1]) for _ in range(3)]
    assert same == [("a", ""), ("", "b"), ("b", "")]


def test_message_of_another_batch_has_no_neighbours() -> None:
    (sent,) = named("a")

    assert NeighboursOfBatch(()).take(sent) == ("", "")


def test_only_some_of_the_neighbours_count() -> None:
    assert Neighbours("a", "b").among({"b"}) == ("", "b")
