"""Measures the event functions: ``make bench``.

Prints what it finds as it goes, then the targets; leaves ``bench/results/bench.json``,
``tables.md`` (to paste into docs/performance.md), ``bench.svg`` and ``profile.html``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from bench import cold_start, cost, end_to_end, handler, payments, scale
from bench.chart import draw
from bench.results import FOLDER, Results
from bench.stand import running_stand

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.stand import Stand

Section: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]


def main() -> None:
    """Run all sections one after the other."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    started = time.monotonic()
    results = Results()
    with running_stand() as stand:
        for title, section in _SECTIONS.items():
            print(f"[{time.monotonic() - started:4.0f} s] {title}", flush=True)
            results.add(title, section(stand))
    results.write()
    draw(results.figures)
    print(f"[{time.monotonic() - started:4.0f} s] written to {FOLDER}\n")
    print("\n".join(results.targets()))


def _bare_sql(stand: Stand) -> Section:
    handler.compare_states(stand)
    yield "device.failed, batch 100", handler.against_bare_sql(stand)


def _largest_batch(stand: Stand) -> Section:
    yield "device.failed, batch 10,000", scale.largest_batch(stand)


_SECTIONS: dict[str, Callable[[Stand], Section]] = {
    "bare SQL": _bare_sql,
    "handler": handler.measure,
    "end to end": end_to_end.measure,
    "cost": cost.measure,
    "payments": payments.measure,
    "devices of one user": scale.devices_of_one_user,
    "largest batch": _largest_batch,
    "cold start": cold_start.measure,
    "history": scale.rows_of_history,
}

if __name__ == "__main__":
    main()
