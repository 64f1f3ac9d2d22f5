"""Whose fault a database error is, by number or SQLSTATE, and which transactions run again."""

from __future__ import annotations

import pymysql
import pytest

from scheduler.database.errors import (
    Fault,
    StaleSnapshotError,
    fault_of,
    is_conflict,
    is_conflict_without_wait,
    retry_on_conflict,
    text_of,
)

DEADLOCK = pymysql.OperationalError(1213, "Deadlock found")
LOCK_WAIT = pymysql.OperationalError(1205, "Lock wait timeout exceeded")
AWAY = pymysql.OperationalError(2006, "Server has gone away")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (AWAY, "Server has gone away (error 2006)"),
        (pymysql.InterfaceError("closed"), "closed"),
        (ValueError(1, "two"), "(1, 'two')"),
    ],
)
def test_text_of_an_error_is_a_sentence_with_the_number_of_the_driver(
    error: Exception, text: str
) -> None:
    assert text_of(error) == text


@pytest.mark.parametrize("number", [1267, 1270, 1271, 1153, 1366, 1265, 4025, 4078])
def test_bad_value_with_a_general_state_is_attributed_to_the_message(number: int) -> None:
    assert fault_of(pymysql.OperationalError(number, "the server says why")) is Fault.MESSAGE


@pytest.mark.parametrize(
    ("state", "fault"),
    [
        *(("22001", Fault.MESSAGE), ("23000", Fault.MESSAGE), ("45000", Fault.MESSAGE)),
        *(("HY000", Fault.ENVIRONMENT), ("42000", Fault.ENVIRONMENT), ("", Fault.ENVIRONMENT)),
    ],
)
def test_class_of_the_state_decides_about_unknown_numbers(state: str, fault: Fault) -> None:
    error = pymysql.OperationalError(9999, "the server says why")
    error.sqlstate = state

    assert fault_of(error) is fault


def test_duplicate_key_is_a_conflict_and_other_constraints_are_not() -> None:
    assert is_conflict(pymysql.IntegrityError(1062, "Duplicate entry"))
    assert not is_conflict(pymysql.IntegrityError(1048, "Column cannot be null"))
    assert not is_conflict(ValueError("of our own code"))


@pytest.mark.parametrize("error", [DEADLOCK, LOCK_WAIT, StaleSnapshotError()])
def test_transaction_that_always_conflicts_is_attempted_three_times(error: Exception) -> None:
    attempts = Attempts(error, failing=9)

    with pytest.raises(type(error)):
        retry_on_conflict(attempts)

    assert attempts.made == 3


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_transaction_runs_again_until_it_succeeds(failing: int) -> None:
    attempts = Attempts(DEADLOCK, failing)

    assert retry_on_conflict(attempts) == "done"
    assert attempts.made == failing + 1


@pytest.mark.parametrize("error", [AWAY, ValueError("of our own code")])
def test_error_that_is_not_a_conflict_is_raised_at_once(error: Exception) -> None:
    attempts = Attempts(error, failing=1)

    with pytest.raises(type(error)):
        retry_on_conflict(attempts)

    assert attempts.made == 1


def test_caller_may_exclude_lock_wait_timeouts() -> None:
    attempts = Attempts(LOCK_WAIT, failing=1)

    with pytest.raises(pymysql.OperationalError):
        retry_on_conflict(attempts, is_conflict_without_wait)

    assert attempts.made == 1


class Attempts:
    """A transaction that fails some times."""

    def __init__(self, error: Exception, failing: int) -> None:
        self._error = error
        self._failing = failing
        self.made = 0

    def __call__(self) -> str:
        self.made += 1
        if self.made <= self._failing:
            raise self._error
        return "done"
