"""The points at which the function can be killed, and the seeded plan of each process."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from tests.faults.drill_plan import seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class CrashPoint(StrEnum):
    """Points between the steps of an invocation at which its process can be killed."""

    BEFORE_NOTE = "before note"
    AFTER_NOTE = "after note"
    BEFORE_LOAD = "before load"
    BEFORE_COUNT = "before count"
    WHILE_COUNTING = "while counting"
    AFTER_COUNT = "after count"
    AFTER_LOAD = "after load"
    WHILE_WRITING = "while writing"
    BEFORE_COMMIT = "before commit"
    AFTER_COMMIT = "after commit"
    BEFORE_PUBLISH = "before publish"
    AFTER_PUBLISH = "after publish"
    BEFORE_NUDGE = "before nudge"
    AFTER_NUDGE = "after nudge"
    BEFORE_RETURN = "before return"
    AFTER_RETURN = "after return"


PAYMENT_POINTS: Final = frozenset(
    {CrashPoint.BEFORE_COUNT, CrashPoint.WHILE_COUNTING, CrashPoint.AFTER_COUNT}
)

_RARE: Final = frozenset({CrashPoint.BEFORE_PUBLISH, CrashPoint.AFTER_PUBLISH})
_MAX_VISITS: Final = 6
_LIFETIMES: Final = (30, 150)
"""Minimum and maximum steps of a process; an ordinary invocation has about twelve."""
_RARE_FACTOR: Final = 3
"""A process that is to be killed at a rare point may live this many times longer."""


@dataclass(frozen=True, slots=True)
class CrashPlan:
    """A process is killed at its n-th visit of a point, or at its last step at the latest."""

    point: CrashPoint
    visit: int
    last_step: int

    @classmethod
    def of(cls, points: Sequence[CrashPoint], seed: int, queue: str, generation: int) -> Self:
        """Return the plan of a queue's process; ``generation`` counts the ones killed before."""
        chance = seeded(seed, queue, generation)
        point, last_step = chance.choice(points), chance.randint(*_LIFETIMES)
        if point in _RARE:
            return cls(point, 1, last_step * _RARE_FACTOR)
        return cls(point, chance.randint(1, _MAX_VISITS), last_step)


class CrashTrigger:
    """Counts the steps of a process and kills it where its plan says."""

    def __init__(self, plan: CrashPlan, kill: Callable[[CrashPoint], None]) -> None:
        self._plan = plan
        self._kill = kill
        self._visits: Counter[CrashPoint] = Counter()

    def reach(self, point: CrashPoint) -> None:
        """Pass a point, or kill the process there."""
        self._visits[point] += 1
        planned = point is self._plan.point and self._visits[point] >= self._plan.visit
        if planned or self._visits.total() >= self._plan.last_step:
            self._kill(point)
