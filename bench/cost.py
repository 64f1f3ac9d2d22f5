"""What a batch of a hundred costs: statements, bytes, time by stage, and settling failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any, Final

from bench import settling
from bench.results import FOLDER
from bench.workload import DEVICE_FAILED, invocations, seed
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.stand import Stand

_BATCH: Final = 100
_BATCHES: Final = 90


def measure(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the cost of a batch and the time of its stages; a profile is left in the results."""
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, _BATCHES * _BATCH)
    events = stand.folder / "events"
    batches = invocations(DEVICE_FAILED.events(range(_BATCHES * _BATCH), began), _BATCH)
    events.write_bytes(b"\n".join(batches))
    FOLDER.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603 - ours
        [sys.executable, "-m", "bench.stages", str(events), str(FOLDER / "profile.html")],
        cwd=ROOT,
        env={**os.environ, **stand.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stderr.splitlines()[-1])
    cost = found["cost"]
    yield (
        "a batch of 100",
        {
            "statements": cost["Questions"],
            "bytes_sent_per_event": cost["Bytes_received"] / _BATCH,
            "bytes_received_per_event": cost["Bytes_sent"] / _BATCH,
        },
    )
    for stage, (wall, cpu) in found["stages"].items():
        yield (
            stage,
            {"us_per_event": 1e6 * wall / _BATCH, "function_cpu_us_per_event": 1e6 * cpu / _BATCH},
        )
    yield "settling: 100 failures parked", settling.measure(stand.rabbitmq.url)
