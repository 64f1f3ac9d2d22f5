"""Simulates the backlog of one queue in a disaster, from measured times of batches.

    python -m bench.backlog --events 20000 --within 60 [--shards 4]

One execution environment takes batches from the queue one after the other, as an event source
mapping does. A batch takes a fixed time and a time per event; pass what `make bench` measured.
"""

from __future__ import annotations

from typing import Annotated, NamedTuple

import typer

from bench.measured import batch_times, commit_of_figures


class SimulatedBacklog(NamedTuple):
    """The longest queue, when it is empty again (s), and the longest delay of an event (s)."""

    longest: int
    drained: float
    worst_delay: float


def simulate(arrivals: list[float], batch_size: int, fixed: float, each: float) -> SimulatedBacklog:
    """Process events in order of arrival (seconds), each batch with all that wait by then."""
    now, done, longest, worst = 0.0, 0, 0, 0.0
    arrived = 0
    while done < len(arrivals):
        now = max(now, arrivals[done])
        while arrived < len(arrivals) and arrivals[arrived] <= now:
            arrived += 1
        longest = max(longest, arrived - done)
        size = min(batch_size, arrived - done)
        now += fixed + each * size
        worst = max(worst, now - arrivals[done])
        done += size
    return SimulatedBacklog(longest, now, worst)


def main(
    events: Annotated[int, typer.Option(help="Number of events.")],
    within: Annotated[float, typer.Option(help="Seconds in which they are published.")],
    shards: Annotated[int, typer.Option(help="Queues that share them.")] = 1,
    batch_size: Annotated[int, typer.Option(help="Of the mapping.")] = 100,
    fixed_ms: Annotated[
        float | None, typer.Option(help="Milliseconds of a batch. Default: as measured.")
    ] = None,
    each_ms: Annotated[
        float | None, typer.Option(help="Milliseconds of an event. Default: as measured.")
    ] = None,
    event: Annotated[str, typer.Option(help="Whose measured times are used.")] = "device.failed",
) -> None:
    """Print the backlog. The measured times are those of docs/performance.md."""
    measured = batch_times(event)
    fixed = measured.fixed if fixed_ms is None else fixed_ms / 1000
    each = measured.each if each_ms is None else each_ms / 1000
    share = -(-events // shards)
    arrivals = [n * within / share for n in range(share)]
    found = simulate(arrivals, batch_size, fixed, each)
    print(
        f"{event}: {1000 * fixed:.3g} ms a batch and {1000 * each:.3g} ms an event"
        f" (docs/performance.md is from commit {commit_of_figures()}, if no option says otherwise)"
    )
    print(
        f"{events:,} events within {within:g} s, {shards} shards:"
        f" at most {shards * found.longest:,} waiting, all done after {found.drained:.1f} s,"
        f" worst delay {found.worst_delay:.2f} s"
    )


if __name__ == "__main__":
    typer.run(main)
