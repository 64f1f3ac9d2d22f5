"""What an invocation does about failures of the database is bounded, and enough."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pymysql
import pytest
from pymysql.constants import ER

from scheduler.database.errors import DatabaseUnavailableError, StatementRefusedError
from scheduler.deadline import NEVER
from scheduler.payments.failure import PaymentsUnavailableError
from scheduler.pipeline.isolation import Isolation, PartSize
from tests.support.deciding import handling_of
from tests.support.events import QUEUE_OF

if TYPE_CHECKING:
    from collections.abc import Callable

HANDLING = handling_of(QUEUE_OF["user.suspended"])
LOCKED = pymysql.OperationalError(ER.LOCK_WAIT_TIMEOUT, "Lock wait timeout exceeded")


class FakeTransaction:
    """Fails as the test says, and counts its attempts and its searches for locks."""

    def __init__(
        self,
        failure: Callable[[list[str]], Exception | None],
        found: set[str] | Exception | None = None,
    ) -> None:
        self._failure = failure
        self._found = found
        self.attempts = 0
        self.searches = 0

    def apply(self, batch: Any, _: object) -> list[Any]:  # noqa: ANN401 - stands for messages
        self.attempts += 1
        if error := self._failure([one.event.subject_id for one in batch]):
            raise error
        return ["applied"] * len(batch)

    def blocked(self, batch: Any, _: object) -> set[str]:  # noqa: ANN401 - likewise
        """Find the first user blocked, unless the test says something else."""
        self.searches += 1
        if isinstance(self._found, Exception):
            raise self._found
        return {batch[0].event.subject_id} if self._found is None else self._found


class Time:
    """A deadline that passes when the test says."""

    def __init__(self, *, passed: bool = False) -> None:
        self.passed = passed


def outcomes(
    transaction: FakeTransaction,
    size: int,
    pauses: list[float] | None = None,
    deadline: object = NEVER,
    part_size: PartSize | None = None,
) -> Counter[str]:
    """Apply messages of so many users in an invocation, and count what became of them."""
    users = [SimpleNamespace(subject_id=f"u{number}") for number in range(size)]
    batch = cast(
        "Any",
        [SimpleNamespace(message=None, event=user, key=f"of {user.subject_id}") for user in users],
    )
    sleep = ([] if pauses is None else pauses).append
    alone = Isolation(cast("Any", transaction), cast("Any", deadline), part_size, sleep)
    found: list[Any] = alone.apply(batch, HANDLING)
    return Counter(one if one == "applied" else one.verdict.value for one in found)


def test_one_message_of_ten_thousand_that_the_server_refuses_is_found() -> None:
    refused = StatementRefusedError("too many rows")

    def failure(users: list[str]) -> Exception | None:
        return refused if "u6789" in users else None

    assert outcomes(FakeTransaction(failure), 10_000) == {"applied": 9_999, "parked": 1}


def test_all_messages_that_the_server_refuses_are_found_while_it_accepts_others() -> None:
    refused = StatementRefusedError("too many rows")
    bad = {f"u{number}" for number in range(0, 1000, 50)}

    def failure(users: list[str]) -> Exception | None:
        return refused if bad.intersection(users) else None

    assert outcomes(FakeTransaction(failure), 1000) == {"applied": 980, "parked": 20}


def test_many_refused_messages_do_not_keep_those_behind_them_waiting() -> None:
    """Parked messages come back in the same order, the refused ones first."""
    refused, part_size = StatementRefusedError("too many rows"), PartSize()
    bad = {f"u{number}" for number in range(40)}
    refusing = FakeTransaction(lambda users: refused if bad.intersection(users) else None)

    assert outcomes(refusing, 50, part_size=part_size) == {"parked": 50}
    for _ in range(8):
        found = outcomes(refusing, 50, part_size=part_size)

    assert found == {"applied": 10, "parked": 40}
    assert outcomes(FakeTransaction(lambda _: None), 50, part_size=part_size) == {"applied": 50}
    assert len(list(part_size.parts(cast("Any", [SimpleNamespace(key="of u1")] * 2)))) == 1


def test_message_on_which_our_code_fails_uses_an_attempt_and_the_others_do_not() -> None:
    def failure(users: list[str]) -> Exception | None:
        return ZeroDivisionError("a bug") if "u7" in users else None

    assert outcomes(FakeTransaction(failure), 100) == {"applied": 99, "failed": 1}


@pytest.mark.parametrize("error", [DatabaseUnavailableError("x"), PaymentsUnavailableError("x")])
def test_outage_is_waited_for_before_each_other_attempt(error: Exception) -> None:
    transaction = FakeTransaction(lambda _: error)
    pauses: list[float] = []

    assert outcomes(transaction, 100, pauses) == {"parked": 100}

    assert transaction.attempts == len(pauses) + 1 > 1
    assert 0 < min(pauses) < max(pauses)


def test_action_is_repeated_as_long_as_an_outage_is_waited_for() -> None:
    pauses: list[float] = []
    failing = [DatabaseUnavailableError("away"), DatabaseUnavailableError("away")]

    def action() -> str:
        if failing:
            raise failing.pop()
        return "done"

    alone = Isolation(cast("Any", None), NEVER, sleep=pauses.append)
    assert alone.persist(action) == "done"
    assert len(pauses) == 2
    failing += [DatabaseUnavailableError("away")] * 100
    with pytest.raises(DatabaseUnavailableError):
        alone.persist(action)


def test_action_is_not_repeated_without_time() -> None:
    pauses: list[float] = []

    def action() -> None:
        raise DatabaseUnavailableError("away")

    alone = Isolation(cast("Any", None), cast("Any", Time(passed=True)), sleep=pauses.append)
    with pytest.raises(DatabaseUnavailableError):
        alone.persist(action)

    assert pauses == []


def test_nothing_is_begun_without_time() -> None:
    transaction = FakeTransaction(lambda _: None)

    assert outcomes(transaction, 100, deadline=Time(passed=True)) == {"parked": 100}

    assert transaction.attempts == 0


def test_batch_that_the_deadline_interrupts_is_applied_in_parts_by_the_next_invocation() -> None:
    time, part_size = Time(), PartSize()

    def failure(users: list[str]) -> Exception | None:
        time.passed = len(users) == 100
        return DatabaseUnavailableError("no time left") if time.passed else None

    assert outcomes(FakeTransaction(failure), 100, [], time, part_size) == {"parked": 100}

    transaction = FakeTransaction(failure)
    assert outcomes(transaction, 100, [], Time(), part_size) == {"applied": 100}
    assert transaction.attempts > 1


def test_only_the_messages_whose_rows_are_locked_wait() -> None:
    def failure(users: list[str]) -> Exception | None:
        return LOCKED if "u0" in users else None

    transaction = FakeTransaction(failure)

    assert outcomes(transaction, 100) == {"applied": 99, "parked": 1}
    assert (transaction.attempts, transaction.searches) == (2, 1)


def test_lock_that_no_search_finds_is_waited_for_twice() -> None:
    transaction = FakeTransaction(lambda _: LOCKED, set())

    assert outcomes(transaction, 100) == {"parked": 100}

    assert (transaction.attempts, transaction.searches) == (2, 1)


def test_locks_that_are_taken_after_each_search_are_searched_for_a_few_times() -> None:
    transaction = FakeTransaction(lambda _: LOCKED)

    assert outcomes(transaction, 100) == {"parked": 100}

    assert 1 < transaction.searches < 10
    assert transaction.attempts == transaction.searches + 1


@pytest.mark.parametrize("error", [DatabaseUnavailableError("away"), LOCKED])
def test_batch_waits_at_once_if_its_locks_cannot_be_searched_for(error: Exception) -> None:
    transaction = FakeTransaction(lambda _: LOCKED, error)

    assert outcomes(transaction, 100) == {"parked": 100}

    assert transaction.attempts == 1
