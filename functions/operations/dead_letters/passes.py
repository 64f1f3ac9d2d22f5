"""Reads all dead letters once, in several calls, however many there are.

RabbitMQ has no positions in a queue: a call consumes letters and returns them to the queue. Letters
that were read and returned before then move behind the others (see
`operations.dead_letters.queue`); letters that were never read stay in front. So the letters that
earlier calls of a pass have read are in one of two places: in front, or in one run that begins with
a letter the next call recognises. When the pass has ended, all letters are in their original order,
except for a few if only a part of them had been read before the pass.
"""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from pydantic import Field

from operations.context import Arguments
from operations.errors import OpsError
from scheduler.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from operations.context import OperationContext
    from operations.dead_letters.queue import DeadLetterQueue, TakenLetter

_UNDECIDED: Final = 1_000
"""More letters than a call removes at once, so at least one of these candidates stays in the
queue."""


class Position(Arguments):
    """How far a pass has come.

    Attributes:
        left: how many letters it has not seen yet.
        front: how many of the letters that it has seen are in front.
        first: the fingerprint of the first letter of those that it has moved behind others.
        moved: how many these are.
    """

    left: int = Field(ge=0)
    front: int = Field(default=0, ge=0)
    first: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    moved: int = Field(default=0, ge=0)


class Pass:
    """A call's part of a pass. With ``position`` it continues.

    Attributes:
        seen: how many letters this call has yielded.
    """

    def __init__(
        self,
        context: OperationContext,
        queue: DeadLetterQueue,
        position: Position | None,
    ) -> None:
        self._context = context
        self._queue = queue
        self._begin = position or Position(left=queue.count)
        self._deadline = context.deadline
        self._passed_moved = self._reached_end = False
        self._skipped = 0
        self._candidates: deque[TakenLetter] = deque()
        self.seen = 0

    def letters(self, enough: Callable[[], bool] = lambda: False) -> Iterator[TakenLetter]:
        """Yield the letters that earlier calls have not seen, until the time of a call is over.

        Args:
            enough: asked between two blocks whether to end earlier.

        Raises:
            OpsError: the time is over before a new letter, or amid those of earlier calls, so that
                the next call could not tell which these are.
        """
        skip, seconds = self._begin.front, max(0.0, self._deadline.at - time.monotonic())

        def ended() -> bool:
            self._queue.limit = skip + self._left
            return not self._left or (
                skip == 0 and self.seen > 0 and (self._deadline.passed or enough())
            )

        for one in self._queue.letters(ended):
            if skip == 0 and self._is_first_moved(one):
                self._passed_moved, skip = True, self._begin.moved
            if skip:
                skip -= 1
                self._skipped += 1
                self._keep_candidate(one)
                if skip == 0:
                    ends = min(time.monotonic() + seconds, self._context.last_moment.at)
                    self._deadline = Deadline(ends)
            elif self._left:  # later ones have arrived since the pass began
                self.seen += 1
                self._keep_candidate(one)
                yield one
        self._reached_end = self._queue.all_taken
        if self._queue.out_of_time and (skip or not self.seen):
            raise OpsError(
                f"only a part of the {self._queue.count} dead letters could be read in the time of"
                " a call; try again when the broker is less busy"
            )

    def following(self) -> dict[str, Any] | None:
        """Return the argument for the next call when the queue is closed; None at the end."""
        if self._reached_end or not self._left:
            return None
        begin, kept = self._begin, self._skipped + self.seen - self._queue.removed
        position: dict[str, Any] = {"left": self._left, "front": kept}
        if self._queue.rotated and not self._passed_moved:
            first = begin.first or self._first_kept()
            position |= {"front": 0, "first": first, "moved": begin.moved + kept}
        elif not self._passed_moved:
            position |= {"first": begin.first, "moved": begin.moved}
        return {"position": position}

    def give_back(self) -> None:
        """Leave the letter that was yielded last to the next call."""
        self.seen -= 1

    @property
    def total(self) -> int:
        """Return how many letters there were at the beginning of the call."""
        return self._begin.left

    @property
    def readers(self) -> int:
        """Return how many other programs read the queue."""
        return self._queue.readers

    @property
    def held(self) -> int:
        """Return how many letters the pass ended without, because other programs hold them."""
        return self._left if self._reached_end and self.readers else 0

    @property
    def _left(self) -> int:
        return self._begin.left - self.seen

    def _is_first_moved(self, one: TakenLetter) -> bool:
        return (
            self._begin.first is not None
            and not self._passed_moved
            and one.letter.fingerprint.hex() == self._begin.first
        )

    def _keep_candidate(self, one: TakenLetter) -> None:
        while self._candidates and self._candidates[0].removed:
            self._candidates.popleft()
        if len(self._candidates) < _UNDECIDED:
            self._candidates.append(one)

    def _first_kept(self) -> str | None:
        stay = (one for one in self._candidates if not one.removed)
        return next((one.letter.fingerprint.hex() for one in stay), None)
