"""Households of tests: what happens to them, and what the model says of their ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.faults.outcomes import outcomes
from tests.faults.workload import DrillEvent

if TYPE_CHECKING:
    from tests.faults.model import Facts
    from tests.faults.workload import Household


def happens(home: Household, event_type: str, subject: str, at: int, **fields: object) -> None:
    """Add an event with this time to a household."""
    key = f"e{len(home.events)}"
    home.events.append(DrillEvent(key, key, event_type, subject, at, fields))


def values(home: Household, *fact: str) -> set[Any]:
    """Return the values that a fact may have."""
    return {facts.get(fact) for facts in outcomes(home)}


def effects(facts: Facts, kind: str) -> list[tuple[str, ...]]:
    """Return the facts of a kind, in order."""
    return sorted(fact for fact in facts if fact[0] == kind)
