"""What `discard` returns and removes in a call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from operations.dead_letters.arguments import MAX_COPIES
from operations.dead_letters.copies import to_copy
from operations.dead_letters.describe import json_size
from operations.dead_letters.reading import MAX_RESULT_BYTES
from scheduler.database.letter_actions import OperatorAction

if TYPE_CHECKING:
    from collections.abc import Collection

    from operations.dead_letters.actions import LetterNotes
    from operations.dead_letters.letter import DeadLetter
    from operations.dead_letters.passes import Pass
    from operations.dead_letters.queue import DeadLetterQueue
    from operations.dead_letters.selection import Filter

COPIED_BLOCK: Final = 100
"""Letters are fetched in such blocks, and a result ends with one if that is possible."""


def page_of(reading: Pass, chosen: Filter) -> list[tuple[DeadLetter, dict[str, Any]]]:
    """Return the next letters to store and their copies, as many as fit into a result."""
    page: list[tuple[DeadLetter, dict[str, Any]]] = []
    size = largest = 0

    def full() -> bool:
        is_long = size + COPIED_BLOCK * largest > MAX_RESULT_BYTES
        return bool(page) and (is_long or len(page) + COPIED_BLOCK > MAX_COPIES)

    for one in chosen.apply(reading.letters(full)):
        copy = to_copy(one.letter)
        length = json_size(copy)
        if page and size + length > MAX_RESULT_BYTES:
            reading.give_back()
            break
        page.append((one.letter, copy))
        size, largest = size + length, max(largest, length)
    return page


def remove_letters(
    queue: DeadLetterQueue, chosen: Filter, fingerprints: Collection[str], notes: LetterNotes
) -> None:
    """Remove letters; all others are read, too, so that they keep their order.

    Letters that were not read in the time of a call are still there.
    """
    for one in chosen.apply(queue.letters()):
        if one.letter.fingerprint.hex() in fingerprints:
            with notes.noting(one.letter, OperatorAction.DISCARDED):
                one.remove()
