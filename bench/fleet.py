"""Calculates the load of 100,000 to ten million devices on each part, for docs/scale.md.

    python -m bench.fleet [--write]

From the assumptions of `bench.fleet_parts`, the measured figures of docs/performance.md and the
limits of AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from bench.backlog import simulate
from bench.fleet_parts import FleetLoad, parts
from bench.measured import BatchTimes, batch_times
from local.paths import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAGE: Final = ROOT / "docs/scale.md"
_FLEETS: Final = (100_000, 1_000_000, 10_000_000)
_MINUTE: Final = 60
_MILLION: Final = 1_000_000


class Disaster(NamedTuple):
    """Events of a kind that are published within some seconds; the options of `bench.backlog`."""

    what: str
    event: str
    events: int
    within: float
    batch_size: int = 100
    shards: int = 1
    invocation: float = 0.0
    """Seconds that AWS needs to invoke the function, in addition."""


_RACK, _BILLING = "device.failed", "billing.payment_failed"
_DISASTERS: Final = (
    Disaster("a rack of 20,000 devices fails, reported within a minute", _RACK, 20_000, 60),
    Disaster("… within a second", _RACK, 20_000, 1),
    Disaster("… if an invocation takes 26 ms more", _RACK, 20_000, 1, invocation=0.026),
    Disaster("… and with four shards", _RACK, 20_000, 1, shards=4, invocation=0.026),
    Disaster("the payments of a million users fail within an hour", _BILLING, _MILLION, 3600),
    Disaster("… within ten minutes", _BILLING, _MILLION, 600),
    Disaster("… with batches of 1,000", _BILLING, _MILLION, 600, batch_size=1000),
    Disaster("… with four shards", _BILLING, _MILLION, 600, shards=4),
)


def tables() -> dict[str, list[str]]:
    """Return the tables of docs/scale.md by name."""
    loads = [FleetLoad(devices, devices / 10 / 600) for devices in _FLEETS]
    return {
        "loads": list(_loads(loads)),
        "parts": list(_shares(loads)),
        "order": list(_order(loads[-1])),
        "disasters": list(_disasters()),
    }


def write(page: str) -> str:
    """Return the page with the tables of today."""
    for name, lines in tables().items():
        begin, end = f"<!-- {name}: python -m bench.fleet --write -->", "<!-- end -->"
        before, found, rest = page.partition(begin)
        if not found:
            raise LookupError(f"docs/scale.md lacks {begin}")
        page = before + "\n".join([begin, *lines, end]) + rest.partition(end)[2]
    return page


def main(
    *,
    write_page: Annotated[bool, typer.Option("--write", help="Write docs/scale.md.")] = False,
) -> None:
    """Print the tables."""
    if write_page:
        _PAGE.write_text(write(_PAGE.read_text("utf-8")), encoding="utf-8")
    for name, lines in tables().items():
        print(f"\n{name}\n" + "\n".join(lines))


def _loads(loads: list[FleetLoad]) -> Iterator[str]:
    yield "| a second | " + " | ".join(f"{load.devices:,} devices" for load in loads) + " |"
    yield "|---" * (len(loads) + 1) + "|"
    kinds: tuple[tuple[str, Callable[[FleetLoad], float]], ...] = (
        ("events of all types", lambda load: load.events),
        ("`device.failed` in a disaster", lambda load: load.disaster),
        ("requests to the API", lambda load: load.requests),
        ("allocations that end", lambda load: load.ends),
        ("notifications", lambda load: load.frames),
        ("e-mails", lambda load: load.emails),
        ("new WebSocket connections", lambda load: load.connections),
    )
    for name, rate in kinds:
        yield f"| {name} | {' | '.join(_number(rate(load)) for load in loads)} |"


def _shares(loads: list[FleetLoad]) -> Iterator[str]:
    fleets = " | ".join(f"{load.devices:,} devices" for load in loads)
    yield f"| part | takes a second | from | {fleets} |"
    yield "|---" * (3 + len(loads)) + "|"
    for part in parts():
        cells = (", ".join(map(_percent, part.shares(load))) for load in loads)
        yield f"| {part.name} | {_number(part.limit)} | {part.source} | {' | '.join(cells)} |"


def _order(load: FleetLoad) -> Iterator[str]:
    yield "| | part | normal, disaster | what is turned |"
    yield "|---|---|---|---|"

    for number, part in enumerate(
        sorted(parts(), key=lambda part: max(part.shares(load)), reverse=True), 1
    ):
        shares = ", ".join(map(_percent, part.shares(load)))
        yield f"| {number} | {part.name} | {shares} | {part.turn} |"


def _disasters() -> Iterator[str]:
    yield "| | `python -m bench.backlog` … | waiting at most | all done after | worst delay |"
    yield "|---|---|---|---|---|"
    for one in _DISASTERS:
        times = batch_times(one.event)
        times = BatchTimes(round(times.fixed + one.invocation, 4), round(times.each, 6))
        share = one.events // one.shards
        found = simulate([n * one.within / share for n in range(share)], one.batch_size, *times)
        options = f"--events {one.events} --within {one.within:g} --batch-size {one.batch_size}"
        options += f" --shards {one.shards} --fixed-ms {1000 * times.fixed:g}"
        options += f" --each-ms {1000 * times.each:g}"
        yield (
            f"| {one.what} | `{options}` | {one.shards * found.longest:,} |"
            f" {_duration(found.drained)} | {_duration(found.worst_delay)} |"
        )


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.1g}"  # noqa: PLR2004 - digits


def _percent(share: float) -> str:
    text = f"{_number(100 * share)} %"
    return f"**{text}**" if share > 1 else text


def _duration(seconds: float) -> str:
    return f"{seconds / 60:.1f} min" if seconds >= 2 * _MINUTE else f"{seconds:.1f} s"


if __name__ == "__main__":
    typer.run(main)
