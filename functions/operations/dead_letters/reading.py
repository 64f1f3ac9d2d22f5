"""Reads the letters of a call: those in the queue, or copies that the caller gives."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from operations.dead_letters.copies import from_copy
from operations.dead_letters.describe import describe, json_size
from operations.dead_letters.passes import Pass
from operations.dead_letters.queue import BLOCK_SIZE, TakenLetter, dead_letter_queue
from operations.errors import OpsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from operations.context import OperationContext
    from operations.dead_letters.arguments import CheckArguments
    from operations.dead_letters.letter import DeadLetter
    from operations.dead_letters.passes import Position
    from operations.dead_letters.queue import DeadLetterQueue
    from operations.dead_letters.selection import Filter

_MAX_SOURCES: Final = 50
MAX_RESULT_BYTES: Final = 4_000_000
"""Of the letters in a result, which may have 6 MB; a single letter may be longer."""


@contextmanager
def opened(
    context: OperationContext, block_size: int = BLOCK_SIZE, *, may_rotate: bool = False
) -> Iterator[DeadLetterQueue]:
    """Open the queue for the duration of a block, as `dead_letter_queue` does.

    Raises:
        InvalidInputError: the broker's URL is not an AMQP URL.
        OpsError: the broker cannot be reached, or has no dead-letter queue.
    """
    with (
        context.connected() as connection,
        dead_letter_queue(
            connection, block_size, context.last_moment, may_rotate=may_rotate
        ) as queue,
    ):
        yield queue


@contextmanager
def passing(
    context: OperationContext, position: Position | None, block_size: int | None = None
) -> Iterator[Pass]:
    """Open the queue for a call's part of a pass; raises as `opened`."""
    with opened(context, block_size or BLOCK_SIZE, may_rotate=True) as queue:
        yield Pass(context, queue, position)


class _Copies:
    """Copies, which are seen in one call."""

    def __init__(self, letters: list[TakenLetter]) -> None:
        self._letters = letters
        self.seen = len(letters)

    def letters(self) -> Iterator[TakenLetter]:
        yield from self._letters

    def following(self) -> None:
        return None


@contextmanager
def all_letters(context: OperationContext, arguments: CheckArguments) -> Iterator[Pass | _Copies]:
    """Return the letters of the queue, or of copies if they are given.

    Raises:
        InvalidInputError: a copy is malformed, or its readable body was edited.
        OpsError: a call's time is too short to make progress.
    """
    if arguments.letters is not None:
        yield _Copies(of_copies(arguments.letters))
        return
    with passing(context, arguments.position) as reading:
        yield reading


def of_copies(copies: Sequence[dict[str, Any]]) -> list[TakenLetter]:
    """Return the letters of copies; removing one does nothing.

    Raises:
        InvalidInputError: a copy is malformed, or its readable body was edited.
    """
    return [
        TakenLetter(from_copy(copy, f"letter {number}"), lambda: None)
        for number, copy in enumerate(copies, 1)
    ]


def require_complete(queue: DeadLetterQueue) -> None:
    """Raise an error if letters were left unread because the time was over.

    Raises:
        OpsError: names the number of letters that were read.
    """
    if queue.out_of_time:
        raise OpsError(
            f"only a part of the {queue.count} dead letters could be read in the time of a call;"
            " try again when the broker is less busy, or replay or discard others first"
        )


def within_result(letters: Iterable[TakenLetter]) -> Iterator[tuple[DeadLetter, dict[str, Any]]]:
    """Yield letters and their descriptions while they fit into a result; at least one."""
    size = 0
    for one in letters:
        about = describe(one.letter)
        length = json_size(about)
        if size and size + length > MAX_RESULT_BYTES:
            return
        size += length
        yield one.letter, about


def counts(chosen: Filter, reading: Pass, context: OperationContext) -> dict[str, Any]:
    """Return the figures that all results of a pass have.

    ``readers`` is the number of other programs that read the queue: letters that they hold are
    missing. ``held`` is the number of those that the pass has seen at its beginning, and ended
    without. ``complete`` tells whether the pass has ended, without ``next``.
    """
    following = reading.following()
    return {
        "at": context.now.isoformat(),
        "total": chosen.total,
        "matched": chosen.matched,
        "sources": dict(chosen.sources.most_common(_MAX_SOURCES)),
        "readers": reading.readers,
        "held": reading.held,
        "complete": following is None,
        "next": following,
    }
