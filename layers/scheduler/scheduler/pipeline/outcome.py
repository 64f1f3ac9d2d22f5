"""What became of each message of a batch."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed


class Verdict(StrEnum):
    """What the pipeline found; how it is settled follows from it (`scheduler.pipeline.settle`)."""

    DONE = "done"
    DUPLICATE = "duplicate"
    OUTDATED = "outdated"
    INVALID = "invalid"
    CONFLICT = "conflict"
    FAILED = "failed"
    PARKED = "parked"
    HELD = "held"
    KILLER = "killer"


EFFECTIVE = frozenset({Verdict.DONE, Verdict.OUTDATED})
"""Verdicts that are remembered, so that the message is never looked at again."""


class Outcome(NamedTuple):
    """A message, the verdict on it and what to tell operators.

    ``parsed`` is absent where the body is invalid. ``released`` and ``notified`` count what the
    message caused.
    """

    message: Message
    verdict: Verdict
    parsed: Parsed | None = None
    error: str = ""
    remarks: tuple[str, ...] = ()
    released: tuple[str, ...] = ()
    notified: int = 0
