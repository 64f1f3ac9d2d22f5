"""The arguments of the operations on dead letters."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field

from operations.context import Arguments, Moment
from operations.dead_letters.letter import queue_name
from operations.dead_letters.passes import Position
from operations.dead_letters.selection import Selection, error_pattern, work_queue_name
from operations.publishing import MAX_BODY_BYTES
from scheduler.messaging.message import stored_id

MAX_COPIES: Final = 500
"""Copies of letters in one call, in either direction."""
MAX_REMOVED: Final = 20_000
"""Each removal reads all letters, so a call removes many; their fingerprints are 1.4 MB."""
MAX_SHOWN: Final = 1000
MAX_REASONS: Final = 100
MAX_SAMPLES: Final = 50
"""Letters of a group in the list of groups."""

_Name = Annotated[str, Field(max_length=1024)]
"""Bytes of an id that are not UTF-8 are four characters each."""


def _bytes(text: object) -> object:
    """Return the bytes of a text; Python reads one that is not UTF-8 as half a surrogate pair."""
    if not isinstance(text, str):
        return text
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raise ValueError("must not contain half a surrogate pair") from None


class SelectionArguments(Arguments):
    """Conditions that a letter must all meet.

    Attributes:
        queues: event types, names of queues, or names of shards. Letters may come from queues of
            others, so `Filter.require_known_queues` checks the names when letters were read.
        error: a part of the error, or ``/regular expression/``.
        cause: the error without its variable parts, as the list of groups has it.
        ids: as the publisher gave them, or as the timeline shows them.
        failed_until: excludes letters that failed later.
        failed_since: excludes letters that failed earlier.
    """

    queues: frozenset[_Name] = frozenset()
    error: str | None = Field(default=None, max_length=1000)
    cause: str | None = Field(default=None, max_length=2000)
    ids: frozenset[_Name] = frozenset()
    failed_until: Moment | None = None
    failed_since: Moment | None = None

    @property
    def selection(self) -> Selection:
        """Return the selection.

        Raises:
            InvalidInputError: the regular expression is malformed.
        """
        return Selection(
            queues=frozenset(map(queue_name, self.queues)),
            error=error_pattern(self.error) if self.error else None,
            cause=self.cause,
            ids=frozenset(map(stored_id, self.ids)),
            failed_until=self.failed_until,
            failed_since=self.failed_since,
        )


class AddressedArguments(Arguments):
    """To which queue letters are replayed that come from no work queue; None for none."""

    to: _Name | None = None

    @property
    def target(self) -> str | None:
        """Return the name of the queue.

        Raises:
            InvalidInputError: it is not a work queue.
        """
        return None if self.to is None else work_queue_name(self.to)


class PassArguments(SelectionArguments):
    """Which letters, and how far earlier calls have come.

    Attributes:
        position: where the call continues.
        queues_to_find: of the ``queues``, those of which earlier calls have found no letter.
    """

    position: Position | None = None
    queues_to_find: frozenset[_Name] | None = None

    @property
    def to_find(self) -> frozenset[str] | None:
        """Return the queues of which a letter is still to be found; None in the first call."""
        return None if self.position is None else self.queues_to_find or frozenset()


class ListArguments(PassArguments):
    """Which letters are counted, and how many are shown of each group."""

    samples: int = Field(default=0, ge=0, le=MAX_SAMPLES)


class ShowArguments(PassArguments):
    """Which letters are shown, and how many."""

    limit: int = Field(default=10, ge=1, le=MAX_SHOWN)


class CheckArguments(PassArguments, AddressedArguments):
    """Which letters would be replayed: those of the queue, or the given copies."""

    force: bool = False
    letters: list[dict[str, Any]] | None = Field(default=None, max_length=MAX_COPIES)


class PreviewArguments(CheckArguments):
    """For how many letters to return what they would change."""

    limit: int = Field(default=100, ge=0, le=MAX_SHOWN)


class ReplayArguments(PassArguments, AddressedArguments):
    """Which letters are replayed.

    Attributes:
        force: also those that reached the replay limit.
        until: letters that failed later wait for another run; the time of the first call.
        replayed: how many earlier calls have replayed.
        refused: how many earlier calls have refused, by reason.
        total: how many letters there were at the first call.
    """

    force: bool = False
    until: Moment | None = None
    replayed: int = Field(default=0, ge=0)
    refused: dict[_Name, Annotated[int, Field(ge=0)]] = Field(default={}, max_length=MAX_REASONS)
    total: int | None = Field(default=None, ge=0)


class RestoreArguments(SelectionArguments, AddressedArguments):
    """Copies of letters, which are published if they meet the conditions."""

    letters: list[dict[str, Any]] = Field(max_length=MAX_COPIES)
    force: bool = False
    replayed: int = Field(default=0, ge=0)
    """How many letters earlier calls have replayed, for messages about errors."""


class DiscardArguments(PassArguments):
    """Which letters are discarded: a pass returns them, then calls remove them.

    Attributes:
        until: letters that failed later are kept; the time at which the operator saw them.
        remove: fingerprints of letters that the caller has stored; without them, letters to store
            are returned.
    """

    until: Moment
    remove: frozenset[_Name] = Field(default=frozenset(), max_length=MAX_REMOVED)


class CheckEditArguments(Arguments):
    """A letter and its new body, which is given as text."""

    fingerprint: str = Field(pattern="^[0-9a-f]{64}$")
    body: Annotated[bytes, BeforeValidator(_bytes), Field(max_length=MAX_BODY_BYTES)]


class EditArguments(CheckEditArguments):
    """What is published instead of a letter."""

    new_id: str = Field(min_length=1, max_length=128, pattern="^[!-~]+$")
    allow_unknown: bool = False
