"""The account of a drill: compares what is observed with what may be expected. Pure.

Each household must have ended in one of the states that the model allows, to the last fact.
Compared with the nearest of them, an effect that is missing is lost, an effect too many is doubled,
and any other difference is wrong. Nothing that the function reports about itself counts.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tests.faults.model import EFFECTS, Fact, Facts
from tests.faults.outcomes import outcomes
from tests.faults.workload import FailureOutcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tests.faults.workload import DrillWorkload, Household


@dataclass(frozen=True, slots=True)
class Observed:
    """What was observed after a drill."""

    facts: Facts
    dead: Mapping[str, str]
    """The error of each dead letter, by event key."""
    logged: frozenset[str]
    """The acknowledged events that were logged as errors with their payload."""
    broken_rules: frozenset[str] = frozenset()
    """What holds for no household in particular: see `tests.faults.observed`."""
    ambiguous: frozenset[str] = frozenset()
    """Events without an id that were sent again for lack of a confirm: nobody knows how often."""


@dataclass(slots=True)
class Differences:
    """How households differ from what is expected of them."""

    lost: Counter[Fact] = field(default_factory=Counter)
    doubled: Counter[Fact] = field(default_factory=Counter)
    wrong: dict[Fact, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.lost or self.doubled or self.wrong)

    def __len__(self) -> int:
        return self.lost.total() + self.doubled.total() + len(self.wrong)

    def __str__(self) -> str:
        lines = [f"lost {fact}: {n}" for fact, n in self.lost.items()]
        lines += [f"doubled {fact}: {n}" for fact, n in self.doubled.items()]
        lines += [f"wrong {fact}: {how}" for fact, how in self.wrong.items()]
        return "\n".join(sorted(lines))

    def add(self, more: Differences) -> None:
        """Add the differences of another household."""
        self.lost += more.lost
        self.doubled += more.doubled
        self.wrong |= more.wrong


@dataclass(frozen=True, slots=True)
class DrillBalance:
    """The result of a drill."""

    certain: Differences
    """Of households whose events have ids, and of what belongs to none."""
    without_id: Differences
    """Of households whose events have none: equal events cannot be told apart for certain."""
    left_out: int
    """Households with an event without an id whose copies nobody can count."""
    wrongly_rejected: frozenset[str]
    """Events that were dead-lettered or logged without need; not lost: they can be replayed."""
    applied: int
    outdated: int

    @property
    def is_perfect(self) -> bool:
        """Return whether nothing is lost, wrong or rejected, and nothing with an id is doubled."""
        unsure = self.without_id.lost or self.without_id.wrong
        return not self.certain and not self.wrongly_rejected and not unsure


def settle_account(load: DrillWorkload, observed: Observed) -> DrillBalance:
    """Compare the published events with what was observed."""
    by_home = _by_household(load, observed.facts)
    certain = Differences(wrong=dict.fromkeys([(rule,) for rule in observed.broken_rules], ""))
    without_id, left_out = Differences(), 0
    for home in load.households:
        found = by_home.pop(home.number, {})
        if any(event.key in observed.ambiguous for event in home.events):
            left_out += 1
        else:
            (certain if home.identified else without_id).add(nearest(outcomes(home), found))
    refused: Facts = {("failures", user): 1 for user in load.refused_payers}
    for strays in by_home.values():
        unexpected = {fact: n for fact, n in strays.items() if refused.get(fact) != n}
        certain.add(difference({}, unexpected))
    certain.lost.update(_missing_rejections(load, observed))
    processed: Counter[str] = Counter()
    for fact, times in observed.facts.items():
        if fact[0] == "processed":
            processed[fact[-1]] += times
    return DrillBalance(
        certain,
        without_id,
        left_out,
        _wrongly_rejected(load, observed),
        processed["applied"],
        processed["outdated"],
    )


def nearest(expected: Iterable[Facts], found: Facts) -> Differences:
    """Return the differences from the state that is the most like the one found."""
    return min((difference(one, found) for one in expected), key=len)


def difference(expected: Facts, found: Facts) -> Differences:
    """Return how two states differ."""
    differences = Differences()
    for fact in expected.keys() | found.keys():
        want, have = expected.get(fact), found.get(fact)
        if want == have:
            continue
        if fact[0] not in EFFECTS:
            differences.wrong[fact] = f"{have}, expected {want}"
        elif (have or 0) < (want or 0):
            differences.lost[fact] = (want or 0) - (have or 0)
        else:
            differences.doubled[fact] = (have or 0) - (want or 0)
    return differences


def _by_household(load: DrillWorkload, facts: Facts) -> dict[int | None, Facts]:
    """Group facts by household; those of none are under None."""
    owner: dict[str, int] = {}
    for home in load.households:
        owner |= dict.fromkeys(_ids(home), home.number)
    grouped: dict[int | None, Facts] = {}
    for fact, value in facts.items():
        grouped.setdefault(owner.get(fact[1]), {})[fact] = value
    return grouped


def _ids(home: Household) -> Iterable[str]:
    yield from home.users
    yield from home.waits
    for held in home.holds:
        yield from held
    for event in home.events:
        yield from (event.id, event.subject)


def _missing_rejections(load: DrillWorkload, observed: Observed) -> Iterable[Fact]:
    for key, end in load.rejected.items():
        logged = end is FailureOutcome.LOGGED and key in observed.logged
        if key not in observed.dead and not logged:
            yield ("rejected", key)


def _wrongly_rejected(load: DrillWorkload, observed: Observed) -> frozenset[str]:
    return (load.valid & observed.logged) | (load.replayable & observed.dead.keys())
