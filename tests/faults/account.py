"""The account of a drill: compares expected with observed effects. Pure.

An *effect* is something that can be counted from outside (a release, a notification, a counted
payment); a *state* is a final value (a user is suspended). Lost and doubled effects follow only
from the published events and these observations, never from what the function reports itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Effect = tuple[str, ...]
FinalState = tuple[str, ...]


class FailureOutcome(Enum):
    """How an event that cannot be applied must end."""

    DEAD_LETTER = auto()
    LOGGED = auto()
    """Acknowledged, and logged as an error with its payload (informational events)."""


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must be observed once all these events are applied."""

    events: frozenset[str]
    effects: frozenset[Effect] = frozenset()
    states: frozenset[FinalState] = frozenset()


@dataclass(slots=True)
class Expected:
    """What the published events may cause, by event key.

    ``limits`` is the maximum count of each effect; other effects must not occur. ``rejected`` are
    the events that can never be applied.
    """

    events: set[str] = field(default_factory=set)
    expectations: list[Expectation] = field(default_factory=list)
    limits: Counter[Effect] = field(default_factory=Counter)
    rejected: dict[str, FailureOutcome] = field(default_factory=dict)
    per_event: dict[str, list[Effect]] = field(default_factory=dict)
    """Effects that every copy of an event without an id has again, by event key."""
    without_id: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed after a drill."""

    effects: Counter[Effect]
    states: frozenset[FinalState]
    dead: Mapping[str, str]
    """The error of each dead letter, by event key."""
    logged: frozenset[str]
    ambiguous: Mapping[str, int] = field(default_factory=dict)
    """How often an event without an id was sent for lack of a confirm, by its key."""


@dataclass(frozen=True, slots=True)
class DrillBalance:
    """The result: the keys of lost events, and by how much each effect exceeds its limit."""

    applied: frozenset[str]
    lost: frozenset[str]
    doubled: Counter[Effect]
    lost_without_id: frozenset[str]
    doubled_without_id: Counter[Effect]
    """The same for events without an id, of which equal ones cannot be told apart for certain."""
    wrongly_rejected: frozenset[str]
    """Valid events that were dead-lettered or logged; not lost, because they can be replayed."""


def settle_account(
    expected: Expected, confirmed: frozenset[str], observed: Observed
) -> DrillBalance:
    """Compare the confirmed events with what was observed."""
    ended = observed.logged | observed.dead.keys()
    lost = {
        key
        for key in confirmed & expected.rejected.keys()
        if not _ended_as_expected(key, expected, observed)
    }
    loggable = {key for key, end in expected.rejected.items() if end is FailureOutcome.LOGGED}
    live = (confirmed & expected.events) - ended - observed.ambiguous.keys()
    lost |= set(_unmet(expected, live, observed))
    excess = observed.effects - expected.limits - _of_copies(expected, observed)
    without_id = {one for key in expected.without_id for one in expected.per_event.get(key, ())}
    return DrillBalance(
        applied=frozenset(live - lost),
        lost=frozenset(lost - expected.without_id),
        lost_without_id=frozenset(lost & expected.without_id),
        doubled=Counter({one: n for one, n in excess.items() if one not in without_id}),
        doubled_without_id=Counter({one: n for one, n in excess.items() if one in without_id}),
        wrongly_rejected=frozenset((expected.events & ended) | (loggable & observed.dead.keys())),
    )


def _of_copies(expected: Expected, observed: Observed) -> Counter[Effect]:
    """Return the effects of copies that the publisher could not avoid and nobody can recognise."""
    allowed: Counter[Effect] = Counter()
    for key, sent in observed.ambiguous.items():
        for effect in expected.per_event.get(key, ()):
            allowed[effect] += sent - 1
    return allowed


def _ended_as_expected(key: str, expected: Expected, observed: Observed) -> bool:
    return key in observed.dead or (
        expected.rejected[key] is FailureOutcome.LOGGED and key in observed.logged
    )


def _unmet(
    expected: Expected, live: frozenset[str] | set[str], observed: Observed
) -> Iterator[str]:
    """Yield the events of each missing state and effect."""
    applicable = [
        expectation for expectation in expected.expectations if expectation.events <= live
    ]
    by_effect: dict[Effect, list[Expectation]] = {}
    for expectation in applicable:
        if expectation.states - observed.states:
            yield from expectation.events
        for effect in expectation.effects:
            by_effect.setdefault(effect, []).append(expectation)
    for effect, expectations in by_effect.items():
        # Several events may cause one release, which happens once.
        missing = min(len(expectations), expected.limits[effect]) - observed.effects[effect]
        for expectation in expectations[: max(0, missing)]:
            yield from expectation.events
