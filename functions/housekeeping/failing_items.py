"""Keeps the failure of an item, such as a reservation, from those that are processed with it."""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, Final, TypeVar

from scheduler.bisection import MAX_REFUSALS, bisect
from scheduler.database.errors import StatementRefusedError, is_lock_wait, is_outage
from scheduler.deadline import NEVER, Deadline
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

I = TypeVar("I")  # noqa: E741 - an item
R = TypeVar("R")

_MAX_NAMED: Final = 20
"""Maximum number of items that an error message names."""

_logger: Final = service_logger()


class SomeFailedError(Exception):
    """The transactions of some items failed; those of the others were committed."""


class FailingItems:
    """The items of a run of a job that failed. The runner fails the job if there are any."""

    def __init__(self) -> None:
        self._job = ""
        self._deadline = NEVER
        self._names: list[str] = []
        self._refusals_left = MAX_REFUSALS

    def begin(self, job: str, deadline: Deadline) -> None:
        """Begin a run of a job, which has until a deadline."""
        self._job, self._deadline, self._names = job, deadline, []
        self._refusals_left = MAX_REFUSALS

    def apart(
        self,
        items: Sequence[I],
        attempt: Callable[[Sequence[I]], R],
        name_of: Callable[[I], str] = attrgetter("id"),
    ) -> Iterator[R]:
        """Attempt all items together, or halves of them until the failing ones are found.

        Args:
            items: at least one.
            attempt: processes all of the given items in a transaction, or raises.
            name_of: returns what identifies an item.

        Yields:
            What the successful attempts return.

        Raises:
            SomeFailedError: an item failed, and the job has used up its time.
            DatabaseUnavailableError: the database is unavailable.
            pymysql.MySQLError: another transaction holds the rows.
        """

        def give_up(item: I, error: Exception) -> None:
            self.add(name_of(item), error)

        def attempt_part(part: Sequence[I]) -> R | None:
            try:
                result = attempt(part)
            except StatementRefusedError as error:
                if self._refusals_left:
                    self._refusals_left -= 1
                    raise
                for item in part:
                    give_up(item, error)
                return None
            self._refusals_left = MAX_REFUSALS
            return result

        for result in bisect(items, attempt_part, give_up, _isolates):
            if result is not None:
                yield result

    def add(self, name: str, error: Exception) -> None:
        """Log that an item failed.

        Raises:
            SomeFailedError: the job has used up its time. The runner looks at the time only
                between items that succeed.
        """
        _logger.error("Item failed", exc_info=error, extra={"job": self._job, "id": name})
        self._names.append(name)
        if self._deadline.passed:
            self.raise_if_any()

    def raise_if_any(self) -> None:
        """Fail the job if items failed; called when the others have been processed.

        Raises:
            SomeFailedError: always, if an item failed.
        """
        if self._names:
            named = ", ".join(self._names[:_MAX_NAMED])
            raise SomeFailedError(f"{len(self._names)} items failed: {named}")


def _isolates(error: Exception) -> bool:
    # Bisection would wait for the lock again in each half.
    ends = isinstance(error, SomeFailedError) or is_outage(error) or is_lock_wait(error)
    return not ends
