"""Dead letters grouped by original queue and error."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from operations.dead_letters.describe import iso

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from operations.dead_letters.letter import DeadLetter

# The parts of an error that vary while its cause is the same: quoted values, ids, positions. The
# number of a database error, as in "(1062, ", is kept because it identifies the cause.
_VARIABLE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|(?<![(\w])\d+\b")


@dataclass(slots=True)
class LetterGroup:
    """Letters of one queue whose errors differ at most in ids and numbers.

    Attributes:
        error: the error of the letter that failed first.
        oldest_id: the id of that letter.
        newest: when the last of them failed.
        replays: the maximum number of replays.
    """

    queue: str
    error: str
    oldest_id: str
    oldest: datetime | None
    newest: datetime | None = None
    count: int = 0
    replays: int = 0

    def add(self, letter: DeadLetter) -> None:
        """Add a letter to the group."""
        self.count += 1
        self.replays = max(self.replays, letter.replays)
        if letter.failed_at and (self.newest is None or letter.failed_at > self.newest):
            self.newest = letter.failed_at
        if letter.failed_at and (self.oldest is None or letter.failed_at < self.oldest):
            self.oldest, self.oldest_id, self.error = letter.failed_at, letter.id, letter.error

    def to_json(self) -> dict[str, Any]:
        """Return the group as JSON data."""
        return {
            "queue": self.queue,
            "error": self.error,
            "count": self.count,
            "oldest": iso(self.oldest),
            "newest": iso(self.newest),
            "oldestId": self.oldest_id,
            "replays": self.replays,
        }


def grouped(letters: Iterable[DeadLetter]) -> list[LetterGroup]:
    """Return the groups, the largest first."""
    groups: dict[tuple[str, str], LetterGroup] = {}
    for letter in letters:
        key = (letter.source_queue, _cause(letter))
        if key not in groups:
            groups[key] = LetterGroup(
                letter.source_queue, letter.error, letter.id, letter.failed_at
            )
        groups[key].add(letter)
    return sorted(groups.values(), key=lambda group: group.count, reverse=True)


def _cause(letter: DeadLetter) -> str:
    return _VARIABLE.sub("*", letter.error.replace(letter.id, "*"))
