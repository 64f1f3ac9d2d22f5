"""Measures the time of a batch by stage, and writes a profile.

    python -m bench.stages EVENTS PROFILE

Runs device-events in this process, on the servers that the environment names. ``EVENTS`` has an
invocation on each line; the first tenth warms up. The results are printed to stderr, because the
function logs to stdout.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from scheduler import unit_of_work
from scheduler.database.wire import WireConnection
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline import consumer, transaction
from scheduler.pipeline.report import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.database.connection import Database

STAGES: Final[dict[str, tuple[tuple[Any, str], ...]]] = {
    "decode": ((consumer, "decode"),),
    "validate": ((consumer, "_validate"),),
    "load": ((transaction.BatchTransaction, "_load"),),
    "decide": ((transaction, "decide"),),
    "commit": ((unit_of_work, "commit"),),
    "COMMIT": ((WireConnection, "commit"),),
    "settle": ((consumer, "settle"), (Publisher, "publish")),
    "report": ((Reporter, "prepare"), (Reporter, "report")),
}
_STATUS: Final = """
    SHOW SESSION STATUS WHERE Variable_name IN ('Questions', 'Bytes_received', 'Bytes_sent')
"""


class Stopwatch:
    """Seconds of wall-clock time and of CPU by stage."""

    def __init__(self) -> None:
        self.spent: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time added to a stage."""

        def call(*args: Any, **kwargs: Any) -> Any:  # noqa: ANN401 - any function
            wall, cpu = time.perf_counter(), time.thread_time()
            result = function(*args, **kwargs)
            if hasattr(result, "__next__"):
                result = iter(list(result))
            total = self.spent[stage]
            total[0] += time.perf_counter() - wall
            total[1] += time.thread_time() - cpu
            return result

        return call


def main(events_file: str, profile_file: str) -> None:
    """Measure, and print the results as JSON to stderr."""
    from pyinstrument import Profiler  # noqa: PLC0415 - installed in .venv-bench only

    app = importlib.import_module("device_events.app")
    events = [json.loads(line) for line in Path(events_file).read_bytes().splitlines()]
    warm, third = len(events) // 10, len(events) // 3
    for event in events[:warm]:
        app.handler(event, None)
    database = app._consumer._transaction._units.database  # noqa: SLF001 - counts its statements
    before = _status(database)
    app.handler(events[warm], None)
    cost = {name: value - before[name] for name, value in _status(database).items()}
    cost["Questions"] -= 2  # the SHOW itself and the COMMIT after it
    with Profiler(interval=0.0005) as profiler:
        for event in events[warm + 1 : third]:
            app.handler(event, None)
    Path(profile_file).write_text(profiler.output_html(), encoding="utf-8")
    watch = Stopwatch()
    _instrument(watch)
    handle = watch.timed("all", app.handler)
    for event in events[third:]:
        handle(event, None)
    whole = watch.spent["all"]
    parts = [both for stage, both in watch.spent.items() if stage != "all"]
    # What no stage contains: above all, the function waits until its writes are executed.
    watch.spent["wait for writes"] = [whole[n] - sum(part[n] for part in parts) for n in (0, 1)]
    spent = {
        stage: [s / (len(events) - third) for s in both] for stage, both in watch.spent.items()
    }
    print(json.dumps({"cost": cost, "stages": spent}), file=sys.stderr)


def _instrument(watch: Stopwatch) -> None:
    for stage, places in STAGES.items():
        for place, name in places:
            setattr(place, name, watch.timed(stage, getattr(place, name)))


def _status(database: Database) -> dict[str, int]:
    with database.transaction() as cursor:
        cursor.execute(_STATUS)
        return {name: int(value) for name, value in cursor.fetchall()}


if __name__ == "__main__":
    main(*sys.argv[1:])
