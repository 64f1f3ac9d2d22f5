"""The outcome of each message of a batch."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.messaging.message import known_id

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed


class Verdict(StrEnum):
    """What the pipeline found; it determines the settlement (`scheduler.pipeline.settle`)."""

    DONE = "done"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    INVALID = "invalid"
    """The body breaks its contract, or the queue has no rule."""
    CONFLICT = "conflict"
    """Another body was processed under the same id."""
    FAILED = "failed"
    PARKED = "parked"
    """Not applied for lack of a database, DynamoDB, free rows or time."""
    HELD = "held"
    """Held by the mass-failure brake."""
    KILLER = "killer"
    """Killed its consumer (`scheduler.pipeline.redelivery`)."""


EFFECTIVE: Final = frozenset({Verdict.DONE, Verdict.OUTDATED})
"""Verdicts whose message is recorded as processed, so that a copy of it is a duplicate."""


class Outcome(NamedTuple):
    """A message, the verdict on it, and what to report to operators.

    ``parsed`` is None where the body is invalid or was not parsed. ``released`` holds the reason
    codes of the releases that the message caused, ``notified`` the number of users' notifications
    of releases, and ``account_notices`` the number of its other notifications.
    """

    message: Message
    verdict: Verdict
    parsed: Parsed | None = None
    error: str = ""
    remarks: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    notified: int = 0
    account_notices: int = 0

    @property
    def message_id(self) -> str:
        """Return the id by which operators find the message."""
        return (self.parsed and self.parsed.identity.id) or known_id(self.message)
