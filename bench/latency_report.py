"""Prints latencies and appends them to ``bench/results/latency.jsonl``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from statistics import quantiles
from typing import TYPE_CHECKING, Final

from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MIN_REPORTED_MS: Final = 0.1
_RESULTS: Final = ROOT / "bench" / "results" / "latency.jsonl"


@dataclass(frozen=True, slots=True)
class Latencies:
    """Seconds from publishing to the frame, and its two parts; an entry for each event.

    ``to_transaction`` ends when the consumer's transaction begins: queue, batching window and the
    batch before. ``from_transaction`` covers transaction, nudge, dispatcher and WebSocket.
    """

    to_frame: Sequence[float]
    to_transaction: Sequence[float]
    from_transaction: Sequence[float]


@dataclass(frozen=True, slots=True)
class LatencyFigures:
    """The figures of one rate (events per second) and batching window (seconds).

    ``cpu`` is the CPU time of each program in seconds. Other programs on the ``machine``
    make the latencies worse.
    """

    rate: float
    window: float
    latencies: Latencies
    cpu: Mapping[str, float]
    machine: Mapping[str, object]


def report(measured: LatencyFigures) -> None:
    """Print the figures and append them to the results."""
    latencies, count = measured.latencies, len(measured.latencies.to_frame)
    parts = {
        "publish to frame": latencies.to_frame,
        "publish to transaction": latencies.to_transaction,
        "transaction to frame": latencies.from_transaction,
    }
    figures = {name: _milliseconds(values) for name, values in parts.items()}
    window = f"window {measured.window * 1000:g} ms"
    print(f"{measured.rate:g}/s, {count} events, {window}")
    for name, (p50, p99) in figures.items():
        print(f"  {name:<24} p50 {p50:8.1f} ms   p99 {p99:8.1f} ms")
    costs = {name: 1000 * spent / count for name, spent in measured.cpu.items()}
    for name, cost in sorted(costs.items(), key=lambda item: -item[1]):
        if cost >= _MIN_REPORTED_MS:
            print(f"  CPU of {name:<33} {cost:8.1f} ms per event")
    line = {
        "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "rate": measured.rate,
        "window": measured.window,
        "machine": dict(measured.machine),
        "p50_p99_ms": figures,
        "cpu_ms_per_event": costs,
    }
    _RESULTS.parent.mkdir(exist_ok=True)
    with _RESULTS.open("a", encoding="utf-8") as results:
        results.write(json.dumps(line) + "\n")


def _milliseconds(seconds: Sequence[float]) -> tuple[float, float]:
    cuts = quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1000, cuts[98] * 1000
