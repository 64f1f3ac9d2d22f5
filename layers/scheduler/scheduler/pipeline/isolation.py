"""Keeps a failure with its message: bisection for bad statements, parking for outages."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scheduler.database.connection import DatabaseUnavailableError
from scheduler.database.retry import is_waiting
from scheduler.payments.errors import PaymentsUnavailableError
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.deadline import Deadline
    from scheduler.pipeline.rules import Handling
    from scheduler.pipeline.transaction import BatchTransaction

_PATIENCE: Final = (0.2, 0.5, 1.0)
"""Seconds between tries while the database is away: a failover of the connection, not of RDS."""


class Isolation:
    """Applies the messages of one invocation so that a failure costs only its own message."""

    def __init__(
        self,
        transaction: BatchTransaction,
        deadline: Deadline,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._transaction = transaction
        self._deadline = deadline
        self._sleep = sleep
        self._patience = iter(_PATIENCE)

    def apply(self, batch: Sequence[Parsed], handling: Handling) -> list[Outcome]:
        """Return an outcome for every message; never raises.

        A message whose statement fails is found in O(log n) transactions. While the database or
        DynamoDB is away, or when no time is left, messages are parked.
        """
        if self._deadline.passed:
            return _parked(batch, "no time left in this invocation")
        try:
            return self._transaction.apply(batch, handling)
        except (DatabaseUnavailableError, PaymentsUnavailableError) as error:
            return self._wait_and_apply(batch, handling, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not cost the neighbours
            return self._halve(batch, handling, error)

    def _wait_and_apply(
        self, batch: Sequence[Parsed], handling: Handling, error: Exception
    ) -> list[Outcome]:
        pause = next(self._patience, None)
        if pause is None:
            return _parked(batch, f"{type(error).__name__}: {error}")
        self._sleep(pause)
        return self.apply(batch, handling)

    def _halve(
        self, batch: Sequence[Parsed], handling: Handling, error: Exception
    ) -> list[Outcome]:
        if len(batch) == 1:
            (parsed,) = batch
            if is_waiting(error):
                return _parked(batch, f"others hold its rows: {error}")
            text = f"{type(error).__name__}: {error}"
            return [Outcome(parsed.message, Verdict.FAILED, parsed, text)]
        middle = len(batch) // 2
        return [*self.apply(batch[:middle], handling), *self.apply(batch[middle:], handling)]


def _parked(batch: Sequence[Parsed], why: str) -> list[Outcome]:
    return [Outcome(parsed.message, Verdict.PARKED, parsed, f"parked: {why}") for parsed in batch]
