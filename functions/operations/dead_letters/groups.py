"""Dead letters grouped by original queue and error."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from operations.dead_letters.describe import iso, json_size, sample
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from operations.dead_letters.letter import DeadLetter

# The parts of an error that vary while its cause is the same: quoted values, ids, positions. The
# number of a database error, as in "(1062, ", is kept because it identifies the cause.
_VARIABLE: Final = re.compile(r"'[^']*'|\"[^\"]*\"|\b[0-9a-f]{8}-[0-9a-f-]{27}\b|(?<![(\w])\d+\b")

_MAX_SAMPLES_SIZE: Final = 2_000_000


@dataclass(slots=True)
class Samples:
    """How many letters are kept of each group; together they fit into a result."""

    of_group: int
    size: int = 0

    def take(self, letter: DeadLetter, count: int) -> dict[str, Any] | None:
        """Return a letter as a sample for a group that has some already; None without room."""
        if count >= self.of_group or self.size > _MAX_SAMPLES_SIZE:
            return None
        taken = sample(letter)
        self.size += json_size(taken)
        return taken


@dataclass(slots=True)
class LetterGroup:
    """Letters of one queue whose errors differ at most in ids and numbers.

    Attributes:
        cause: the error without its variable parts.
        error: the error of the letter that failed first.
        oldest_id: the id of that letter.
        newest: when the last of them failed.
        replays: the maximum number of replays.
        samples: its first letters, with their fingerprints.
    """

    queue: str
    cause: str
    error: str
    oldest_id: str
    oldest: datetime | None
    newest: datetime | None = None
    count: int = 0
    replays: int = 0
    samples: list[tuple[dict[str, Any], str]] = field(default_factory=list)

    def add(self, letter: DeadLetter, samples: Samples) -> None:
        """Add a letter to the group, and keep it if there is room for another sample."""
        self.count += 1
        if taken := samples.take(letter, len(self.samples)):
            self.samples.append((taken, letter.fingerprint.hex()))
        self.replays = max(self.replays, letter.replays)
        if letter.failed_at and (self.newest is None or letter.failed_at > self.newest):
            self.newest = letter.failed_at
        if letter.failed_at and (self.oldest is None or letter.failed_at < self.oldest):
            self.oldest, self.oldest_id, self.error = letter.failed_at, letter.id, letter.error

    def to_json(self) -> dict[str, Any]:
        """Return the group as JSON data, with its cause, by which its letters are selected.

        Letters without a work queue are replayed to one that the operator names.
        """
        return {
            "queue": self.queue,
            "error": self.error,
            "count": self.count,
            "oldest": iso(self.oldest),
            "newest": iso(self.newest),
            "oldestId": self.oldest_id,
            "replays": self.replays,
            "cause": self.cause,
            "hasWorkQueue": self.queue in WORK_QUEUE_BY_NAME,
        }

    def to_json_with_samples(self) -> dict[str, Any]:
        """Return the group with its samples."""
        return self.to_json() | {
            "letters": [about for about, _ in self.samples],
            "fingerprints": [fingerprint for _, fingerprint in self.samples],
        }


def grouped(letters: Iterable[DeadLetter], samples: int = 0) -> list[LetterGroup]:
    """Return the groups with their samples, the largest group first."""
    kept = Samples(samples)
    groups: dict[tuple[str, str], LetterGroup] = {}
    for letter in letters:
        key = (letter.source_queue, cause_of(letter))
        if key not in groups:
            groups[key] = LetterGroup(*key, letter.error, letter.id, letter.failed_at)
        groups[key].add(letter, kept)
    return sorted(groups.values(), key=lambda group: group.count, reverse=True)


def cause_of(letter: DeadLetter) -> str:
    """Return the error without its variable parts, the same for all letters of a group."""
    return _VARIABLE.sub("*", letter.error.replace(letter.id, "*"))
