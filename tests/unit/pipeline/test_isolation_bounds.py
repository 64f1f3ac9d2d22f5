"""What an invocation does about failures of the database is bounded, and enough."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pymysql
import pytest
from pymysql.constants import ER

from scheduler.database.errors import DatabaseUnavailableError, StatementRefusedError
from scheduler.deadline import NEVER
from scheduler.pipeline.isolation import Isolation
from tests.support.deciding import handling_of
from tests.support.events import QUEUE_OF

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLING = handling_of(QUEUE_OF["user.suspended"])
LOCKED = pymysql.OperationalError(ER.LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded")


class FakeTransaction:
    """Fails as the test says, and counts its attempts and its searches for locks."""

    def __init__(
        self, failure: Callable[[list[str]], Exception | None], locked: str | Exception = ""
    ) -> None:
        self._failure = failure
        self._locked = locked
        self.attempts = 0
        self.searches = 0

    def apply(self, batch: Any, _: object) -> list[Any]:  # noqa: ANN401 - stands for messages
        self.attempts += 1
        if error := self._failure([one.event.subject_id for one in batch]):
            raise error
        return ["applied"] * len(batch)

    def blocked(self, batch: Any, _: object) -> set[str]:  # noqa: ANN401 - likewise
        """Find one user blocked: another lock is taken after each search."""
        self.searches += 1
        if isinstance(self._locked, Exception):
            raise self._locked
        return {batch[0].event.subject_id}


def applied(transaction: FakeTransaction, size: int, pauses: list[float] | None = None) -> int:
    """Apply messages of so many users in an invocation, and return how many were applied."""
    users = [SimpleNamespace(subject_id=f"u{number}") for number in range(size)]
    batch = cast("Any", [SimpleNamespace(message=None, event=event) for event in users])
    sleep = ([] if pauses is None else pauses).append
    alone = Isolation(cast("Any", transaction), NEVER, sleep=sleep)
    outcomes: list[Any] = alone.apply(batch, HANDLING)
    assert len(outcomes) == size
    return outcomes.count("applied")


def test_one_message_of_ten_thousand_that_the_server_refuses_is_found() -> None:
    refused = StatementRefusedError("too many rows")

    def failure(users: list[str]) -> Exception | None:
        return refused if "u6789" in users else None

    assert applied(FakeTransaction(failure), 10_000) == 9_999


def test_outage_is_waited_for_before_each_other_attempt() -> None:
    transaction = FakeTransaction(lambda _: DatabaseUnavailableError("away"))
    pauses: list[float] = []

    assert applied(transaction, 100, pauses) == 0

    assert transaction.attempts == len(pauses) + 1 > 1
    assert 0 < min(pauses) < max(pauses)


def test_locks_that_are_taken_after_each_search_are_searched_for_a_few_times() -> None:
    transaction = FakeTransaction(lambda _: LOCKED)

    assert applied(transaction, 100) == 0

    assert 1 < transaction.searches < 10
    assert transaction.attempts == transaction.searches + 1


@pytest.mark.parametrize("error", [DatabaseUnavailableError("away"), LOCKED])
def test_batch_waits_at_once_if_its_locks_cannot_be_searched_for(error: Exception) -> None:
    transaction = FakeTransaction(lambda _: LOCKED, error)

    assert applied(transaction, 100) == 0

    assert transaction.attempts == 1
