"""The measured figures of docs/performance.md, which the simulation and docs/scale.md start from.

They are read from the tables that `make bench` wrote: after new ones were pasted, only
`python -m bench.fleet --write` has to follow.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from local.paths import ROOT

_PAGE: Final = ROOT / "docs/performance.md"
_LARGE: Final = 100


class BatchTimes(NamedTuple):
    """Seconds of a batch, whatever its size, and of each of its events."""

    fixed: float
    each: float


def commit_of_figures() -> str:
    """Return the commit at which the figures were measured."""
    found = re.search(
        r"^## Figures\n.*?\bat commit (\w+)", _PAGE.read_text("utf-8"), re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise LookupError(f"{_PAGE} does not say at which commit it was measured")
    return found[1]


def figure(section: str, row: str, column: str) -> float:
    """Return a figure of a table."""
    lines = _PAGE.read_text("utf-8").partition(f"\n### {section}\n")[2].partition("\n#")[0]
    header, _, *rows = (
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in lines.splitlines()
        if line.startswith("|")
    )
    cells = next(cells for cells in rows if cells[0] == row)
    return float(cells[header.index(column)].replace(",", ""))


def batch_times(event: str) -> BatchTimes:
    """Return the times of the handler, from batches of 1 and of 100."""
    one = 1 / figure("handler", f"{event}, batch 1", "per second")
    large = _LARGE / figure("handler", f"{event}, batch {_LARGE}", "per second")
    each = (large - one) / (_LARGE - 1)
    return BatchTimes(one - each, each)
