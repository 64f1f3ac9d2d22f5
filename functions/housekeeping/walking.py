"""The parts of a table that one run walks through: bounded, however large the table is."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from scheduler.database import walks

if TYPE_CHECKING:
    from collections.abc import Iterator

    from housekeeping.tools import Tools
    from scheduler.database.walks import Part, Walk

ROWS_PER_PART: Final = 10_000
"""Few enough that a statement about a part takes a fraction of a second."""
_PARTS_PER_RUN: Final = 5


def parts(tools: Tools, walk: Walk, start: str = "") -> Iterator[Part]:
    """Take and yield the parts of this run, at most one pass; see `scheduler.database.walks`."""
    for _ in range(_PARTS_PER_RUN):
        take = partial(walks.take, walk=walk, rows=ROWS_PER_PART, start=start)
        part = tools.database.run(take)
        yield part
        if part.is_last:
            return
