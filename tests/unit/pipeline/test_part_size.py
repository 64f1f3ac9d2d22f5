"""A batch that takes too long is applied in smaller parts, also by later invocations."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

from scheduler.database.errors import DatabaseUnavailableError
from scheduler.deadline import NEVER
from scheduler.pipeline import isolation
from scheduler.pipeline.isolation import Isolation, PartSize
from tests.support.deciding import handling_of
from tests.support.events import QUEUE_OF

if TYPE_CHECKING:
    import pytest

    from scheduler.pipeline.transaction import BatchTransaction

HANDLING = handling_of(QUEUE_OF["device.failed"])


class FakeTransaction:
    """Applies parts of at most so many messages, and records how many there were in each."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.sizes: list[int] = []

    def apply(self, batch: Any, _: object) -> list[Any]:  # noqa: ANN401 - numbers for messages
        self.sizes.append(len(batch))
        if len(batch) > self.limit:
            raise DatabaseUnavailableError("the answer took too long")
        return list(batch)


class Message:
    """A message that can be parked."""

    message = None
    key = "of a message"


def attempted(limit: int, part_size: PartSize) -> list[int]:
    """Apply 100 messages in an invocation, and return the sizes of the transactions."""
    transaction = FakeTransaction(limit)
    alone = Isolation(cast("BatchTransaction", transaction), NEVER, part_size, lambda _: None)
    alone.apply(cast("Any", [Message()] * 100), HANDLING)
    return transaction.sizes


def test_next_invocation_applies_parts_that_grow_while_they_succeed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(isolation, "_SLOW_SECONDS", 0)
    part_size = PartSize()

    assert attempted(30, part_size)[0] == 100
    second = attempted(30, part_size)
    assert second[0] < 30

    assert sum(size for size in second if size <= 30) >= 20


def test_fast_outage_leaves_the_batch_whole() -> None:
    part_size = PartSize()

    attempted(0, part_size)

    assert attempted(100, part_size) == [100]


def test_parts_grow_until_they_are_whole_batches_again() -> None:
    part_size = PartSize()
    part_size.too_slow(cast("Any", [None] * 40))

    assert attempted(100, part_size) == [10, 20, 40, 30]
    assert attempted(100, part_size) == [80, 20]
    assert attempted(100, part_size) == [100]


def test_messages_are_applied_one_by_one_if_two_take_too_long() -> None:
    part_size = PartSize()
    part_size.too_slow(cast("Any", [None] * 2))

    parts = part_size.parts(cast("Any", [None] * 3))

    assert len(next(parts)) == 1


def test_messages_that_took_too_long_alone_come_last_and_in_turn() -> None:
    batch = cast("Any", [SimpleNamespace(key=key) for key in "abcab"])
    part_size = PartSize()
    for slow in (batch[0], batch[1], batch[0]):
        part_size.too_slow([slow])
    part_size.done([batch[2]] * 4)

    assert ["".join(one.key for one in part) for part in part_size.parts(batch)] == list("cbbaa")

    part_size.done([batch[0]])
    assert "".join(one.key for part in part_size.parts(batch) for one in part) == "acabb"
