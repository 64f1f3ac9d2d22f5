"""Where the function can be killed, and the seeded plan that says where one process dies."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final, Self

from tests.faults.seeded import seeded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class CrashPoint(StrEnum):
    """The steps of an invocation between which a process can vanish."""

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
_MOST_VISITS: Final = 6
_STEPS: Final = (30, 150)
"""An uneventful invocation has about twelve steps."""
_PATIENCE: Final = 3
"""How many times longer a process may live that is to die at a rare point, at its first visit."""


@dataclass(frozen=True, slots=True)
class DeathPlan:
    """A process dies at a visit of a point, or at the latest at its so-manyth step."""

    point: CrashPoint
    visit: int
    last_step: int

    @classmethod
    def of(cls, points: Sequence[CrashPoint], seed: int, queue: str, generation: int) -> Self:
        """Return the plan of a queue's process, given how many died there before."""
        chance = seeded(seed, queue, generation)
        point, last_step = chance.choice(points), chance.randint(*_STEPS)
        if point in _RARE:
            return cls(point, 1, last_step * _PATIENCE)
        return cls(point, chance.randint(1, _MOST_VISITS), last_step)


class Fuse:
    """Counts the steps of one process and ends it where its plan says."""

    def __init__(self, plan: DeathPlan, die: Callable[[CrashPoint], None]) -> None:
        self._plan = plan
        self._die = die
        self._visits: Counter[CrashPoint] = Counter()

    def reach(self, point: CrashPoint) -> None:
        """Pass a point, or die there."""
        self._visits[point] += 1
        planned = point is self._plan.point and self._visits[point] >= self._plan.visit
        if planned or self._visits.total() >= self._plan.last_step:
            self._die(point)
