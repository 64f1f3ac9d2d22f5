"""Decides how each message is settled, depending on its outcome.

Returning from the function acknowledges the whole batch. A message that is not done must therefore
be in a retry queue or among the dead letters before (`scheduler.pipeline.envelope`).
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final, NamedTuple

from scheduler.messaging.topology import WORK_QUEUE_BY_NAME
from scheduler.pipeline.outcome import Outcome, Verdict


class Settlement(StrEnum):
    """How a message is settled; the value is its label in metrics and logs."""

    SUCCESS = "success"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    INVALID = "invalid"
    RETRIED = "retried"
    DEAD_LETTERED = "dead_lettered"
    ERROR = "error"
    """Logged and acknowledged: an informational message whose last retry failed."""


_BY_VERDICT: Final = {
    Verdict.DONE: Settlement.SUCCESS,
    Verdict.DUPLICATE: Settlement.DUPLICATE,
    Verdict.OUTDATED: Settlement.OUTDATED,
    Verdict.INVALID: Settlement.INVALID,
    Verdict.CONFLICT: Settlement.DEAD_LETTERED,
    Verdict.KILLER: Settlement.DEAD_LETTERED,
    Verdict.PARKED: Settlement.RETRIED,
    Verdict.HELD: Settlement.RETRIED,
}
_COSTS_NO_ATTEMPT: Final = {Verdict.PARKED, Verdict.HELD}


class Settled(NamedTuple):
    """An outcome and how its message is settled."""

    outcome: Outcome
    settlement: Settlement

    @property
    def next_attempt(self) -> int:
        """Return the number of failed attempts that a retry of the message carries."""
        return self.outcome.message.attempt + (self.outcome.verdict not in _COSTS_NO_ATTEMPT)

    @property
    def is_dead_letter(self) -> bool:
        """Return whether the message becomes a dead letter."""
        return self.settlement in {Settlement.DEAD_LETTERED, Settlement.INVALID}

    @property
    def can_be_parked(self) -> bool:
        """Return whether the message may wait in a retry queue: it has one, and is safe."""
        known = self.outcome.message.queue in WORK_QUEUE_BY_NAME
        return known and self.outcome.verdict is not Verdict.KILLER

    def parked(self, why: str) -> Settled:
        """Return the same message, parked because it cannot become a dead letter now."""
        error = f"{self.outcome.error}; parked: {why}"
        return Settled(
            self.outcome._replace(verdict=Verdict.PARKED, error=error), Settlement.RETRIED
        )


def settle(outcome: Outcome, max_retries: int) -> Settled:
    """Decide how a message is settled, given how often a failing one is tried again."""
    return Settled(outcome, _BY_VERDICT.get(outcome.verdict) or _failed(outcome, max_retries))


def _failed(outcome: Outcome, max_retries: int) -> Settlement:
    if outcome.message.attempt < max_retries:
        return Settlement.RETRIED
    critical = outcome.parsed is None or outcome.parsed.event.critical
    return Settlement.DEAD_LETTERED if critical else Settlement.ERROR
