"""Eight processes compete for one pool and one user: the invariants hold, and no request fails.

`make race` (10,000 rounds) prints the figures in docs/allocation.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import nullcontext
from datetime import UTC, datetime
from statistics import quantiles
from typing import TYPE_CHECKING, Any, Final

from tests.integration.allocation.invariants import unserved_entries, violations
from tests.integration.allocation.platform import Platform
from tests.support.world import device, user, world

if TYPE_CHECKING:
    import pytest

    from tests.support.store import Store

PROCESSES: Final = 8
ROUNDS: Final = int(os.environ.get("ROUNDS", "400"))
DEVICES: Final = 12


def race(url: str, broker_url: str) -> dict[str, Any]:
    order = {
        "url": url,
        "broker": broker_url,
        "rounds": ROUNDS,
        "processes": PROCESSES,
        "devices": DEVICES,
        "seed": int(os.environ.get("SEED", "1")),
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.integration.allocation.racing"],
        input=json.dumps(order),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=1800,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def test_no_device_is_lost_or_allocated_twice_under_contention(
    store: Store, database_url: str, broker_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    devices = (device(f"d{number:03}") for number in range(1, DEVICES + 1))
    store.seed(world(user("greedy"), *devices))

    started = time.perf_counter()
    figures = race(database_url, broker_url)
    seconds = time.perf_counter() - started

    with capsys.disabled() if "ROUNDS" in os.environ else nullcontext():
        _show(figures, seconds)
    assert not [one for one in figures["responses"] if one.startswith("500")]
    assert set(figures["events"]) <= {"success", "outdated", "retried"}
    assert set(figures["housekeeping"]) <= {"done"}
    assert not violations(store)
    platform = Platform(store)
    platform.clock.now = datetime.now(UTC)
    platform.keep_house()
    assert not unserved_entries(store, platform.clock())
    assert not violations(store)


def _show(figures: dict[str, Any], seconds: float) -> None:
    percentiles = quantiles(figures["seconds"], n=100)
    p50, p99 = (1000 * percentiles[n] for n in (49, 98))
    print(f"\n{ROUNDS} rounds by {PROCESSES} processes for {DEVICES} devices in {seconds:.1f} s:")
    print(f"p50 {p50:.1f} ms, p99 {p99:.1f} ms, most {1000 * max(figures['seconds']):.0f} ms")
    for response, count in sorted(figures["responses"].items()):
        print(f"{count:7} × {response}")
    for name in ("events", "housekeeping"):
        print(f"{name}: {', '.join(f'{n} {what}' for what, n in figures[name].items())}")
