"""The account of a drill: what was promised against what is seen. Pure.

An *effect* is something that can be counted from outside (a release, a notification, a counted
payment); a *state* is how things are left (a user is suspended). Whether anything was lost or
doubled follows from the published events and these observations alone, never from what the
function says about itself.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Effect = tuple[str, ...]
State = tuple[str, ...]


class Fate(Enum):
    """How an event must end that cannot be applied."""

    DEAD_LETTER = auto()
    LOGGED = auto()
    """Acknowledged with an error log that carries it: informational events."""


@dataclass(frozen=True, slots=True)
class Promise:
    """What must be seen once all these events were applied."""

    events: frozenset[str]
    effects: frozenset[Effect] = frozenset()
    states: frozenset[State] = frozenset()


@dataclass(slots=True)
class Expected:
    """What the published events may cause, by event key.

    ``limits`` says how often each effect may be seen at most; an effect that is not in it should
    never be. ``doomed`` are the events that can never be applied.
    """

    events: set[str] = field(default_factory=set)
    promises: list[Promise] = field(default_factory=list)
    limits: Counter[Effect] = field(default_factory=Counter)
    doomed: dict[str, Fate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is observable after a drill."""

    effects: Counter[Effect]
    states: frozenset[State]
    dead: Mapping[str, str]
    """Keys of events among the dead letters, with the error of the last one."""
    logged: frozenset[str]


@dataclass(frozen=True, slots=True)
class Balance:
    """The verdict: ``lost`` are keys of events, ``doubled`` says how often too much was seen."""

    applied: frozenset[str]
    lost: frozenset[str]
    doubled: Counter[Effect]
    astray: frozenset[str]
    """Events that are dead letters or given up and should not be: not lost, to be replayed."""


def balance(expected: Expected, confirmed: frozenset[str], seen: Seen) -> Balance:
    """Settle the account of the confirmed events."""
    ended = seen.logged | seen.dead.keys()
    lost = {key for key in confirmed & expected.doomed.keys() if not _met_fate(key, expected, seen)}
    loggable = {key for key, fate in expected.doomed.items() if fate is Fate.LOGGED}
    live = (confirmed & expected.events) - ended
    lost |= set(_unkept(expected, live, seen))
    return Balance(
        applied=frozenset(live - lost),
        lost=frozenset(lost),
        doubled=seen.effects - expected.limits,
        astray=frozenset((expected.events & ended) | (loggable & seen.dead.keys())),
    )


def _met_fate(key: str, expected: Expected, seen: Seen) -> bool:
    return key in seen.dead or (expected.doomed[key] is Fate.LOGGED and key in seen.logged)


def _unkept(expected: Expected, live: frozenset[str] | set[str], seen: Seen) -> Iterator[str]:
    """Yield the events behind every missing state and effect."""
    due = [promise for promise in expected.promises if promise.events <= live]
    by_effect: dict[Effect, list[Promise]] = {}
    for promise in due:
        if promise.states - seen.states:
            yield from promise.events
        for effect in promise.effects:
            by_effect.setdefault(effect, []).append(promise)
    for effect, promises in by_effect.items():
        # Several events may ask for one release; it is made once.
        missing = min(len(promises), expected.limits[effect]) - seen.effects[effect]
        for promise in promises[: max(0, missing)]:
            yield from promise.events
