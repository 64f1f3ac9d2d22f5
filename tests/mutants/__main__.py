"""``make mutants``: changes the product in small ways, and tells which changes no test notices."""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from typing import Final

from rich.console import Console
from rich.table import Table

from tests.mutants import survivors
from tests.mutants.examine import Examined, examine, say
from tests.mutants.targets import selected

PURE_SHARE: Final = 0.9
"""At least this share of the mutants of pure modules must be killed."""
_MINUTES: Final = 60.0


def main() -> int:
    """Examine the modules, print the table and the new survivors; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("modules", nargs="*", help="e.g. scheduler.domain; all by default")
    parser.add_argument("--minutes", type=float, default=_MINUTES)
    arguments = parser.parse_args()
    end = time.monotonic() + 60 * arguments.minutes
    results: list[Examined] = []
    for modules, target in selected(tuple(arguments.modules)):
        # A process for each: pytest cannot be run twice in one.
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            results.extend(pool.apply(examine, (modules, target, end)))
        say("\r" + " " * 100 + "\r")
    Console().print(_table(results))
    return _judge(results)


def _table(results: list[Examined]) -> Table:
    table = Table("module", "mutants", "killed", "survived", "seconds")
    for one in results:
        table.add_row(
            one.module, *map(str, (one.total, one.killed, len(one.survived), int(one.seconds)))
        )
    for label, some in (("pure modules", [one for one in results if one.pure]), ("all", results)):
        killed, total = sum(one.killed for one in some), sum(one.total for one in some)
        share = f"{killed} ({killed / total:.1%})" if total else "0"
        seconds = str(int(sum(one.seconds for one in some)))
        table.add_row(label, str(total), share, str(total - killed), seconds)
    return table


def _judge(results: list[Examined]) -> int:
    """Print what is wrong, and return 1 if anything is."""
    known, wrong = survivors.known(), False
    for one in results:
        reasons = known.get(one.module, {})
        if one.broken:
            wrong = True
            print(f"\n{one.module}: {one.broken}")
        if new := [change for change in dict.fromkeys(one.survived) if change not in reasons]:
            wrong = True
            print(f"\nno test notices; test it, or give a reason in {survivors.FILE.name}:")
            print(survivors.entry(one.module, new))
        if gone := [] if one.broken else [c for c in reasons if c not in one.survived]:
            wrong = True
            print(f"\nkilled, or no longer there; remove from {survivors.FILE.name}:")
            print(survivors.entry(one.module, gone))
    pure = [one for one in results if one.pure]
    killed, total = sum(one.killed for one in pure), sum(one.total for one in pure)
    if total and killed < PURE_SHARE * total:
        wrong = True
        print(f"\nonly {killed / total:.1%} of the mutants of pure modules are killed")
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
