"""Measures the event functions (``make bench``).

Prints each figure as soon as it is measured, then the targets. Writes ``bench.json``, ``tables.md``
(to paste into docs/performance.md), ``bench.svg`` and ``profile.html`` to ``bench/results/``.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from bench import cold_start, cost, end_to_end, handler, payments, scale
from bench.machine import watched
from bench.results import FOLDER, Results
from bench.testbed import running_testbed

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.testbed import Testbed

BenchSection: TypeAlias = Iterable[tuple[str, Mapping[str, Any]]]


def main() -> None:
    """Run all sections in order."""
    logging.getLogger("pika").setLevel(logging.CRITICAL)
    started = time.monotonic()
    with watched() as machine:
        results = Results(machine)
        with running_testbed() as testbed:
            for title, section in _SECTIONS.items():
                print(f"[{time.monotonic() - started:4.0f} s] {title}", flush=True)
                results.add(title, section(testbed))
    results.write()
    results.draw()
    print(f"[{time.monotonic() - started:4.0f} s] written to {FOLDER}\n")
    print("\n".join(results.targets()))


def _bare_sql(testbed: Testbed) -> BenchSection:
    handler.compare_states(testbed)
    for size in (100, 1000):
        yield f"device.failed, batch {size}", handler.against_bare_sql(testbed, size)


def _largest_batch(testbed: Testbed) -> BenchSection:
    yield "device.failed, batch 10,000", scale.largest_batch(testbed)


_SECTIONS: dict[str, Callable[[Testbed], BenchSection]] = {
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
