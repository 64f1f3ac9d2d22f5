"""Removes dead letters for good; a copy of each is on the disk before."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ops.dead_letters.backup import Backup
    from ops.dead_letters.queue import Taken

_TOGETHER: Final = 100
"""Letters for which the disk is waited for once."""


def discard(letters: Iterable[Taken], backup: Backup) -> Iterator[int]:
    """Write letters to a backup, then remove them; yield how many were removed each time."""
    remaining = iter(letters)
    while batch := list(islice(remaining, _TOGETHER)):
        backup.write(one.letter for one in batch)
        for one in batch:
            one.remove()
        yield len(batch)
