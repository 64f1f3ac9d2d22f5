"""Calculates what fleets of 100,000 to ten million devices ask of each part, for docs/scale.md.

    python -m bench.fleet [--write]

From the assumptions below, the measured figures of docs/performance.md and the limits of AWS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from bench.backlog import simulate
from bench.measured import BatchTimes, batch_times, figure
from housekeeping.search_pass import MAX_PAGES
from local.paths import ROOT
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.purge import CHUNKS_PER_RUN, ROWS_PER_STATEMENT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_PAGE: Final = ROOT / "docs/scale.md"
_FLEETS: Final = (100_000, 1_000_000, 10_000_000)
_DAY: Final = 86_400
_MINUTE: Final = 60
_MILLION: Final = 1_000_000
_CORES: Final = 2
"""Of db.m7g.large, the class of the calculator's production."""


class FleetLoad(NamedTuple):
    """What a fleet does each second."""

    devices: int
    disaster: float
    """``device.failed`` a second while a tenth of the devices fails within ten minutes."""

    @property
    def events(self) -> float:
        """Four events a day and device, of all types."""
        return 4 * self.devices / _DAY

    @property
    def requests(self) -> float:
        """Ten requests to the API a day and user; there are as many users as devices."""
        return 10 * self.devices / _DAY

    @property
    def ends(self) -> float:
        """Two allocations a day and device end by themselves."""
        return 2 * self.devices / _DAY

    @property
    def frames(self) -> float:
        """Three notifications a day and user."""
        return 3 * self.devices / _DAY

    @property
    def emails(self) -> float:
        """A notification of ten is sent by e-mail, too, and one of a hundred by SMS."""
        return self.frames / 10

    @property
    def connections(self) -> float:
        """One user of ten has the page open; a connection lives two hours."""
        return self.devices / 10 / 7200


class PartOfSystem(NamedTuple):
    """A part, the load on it, and what it can take a second."""

    name: str
    normal: Callable[[FleetLoad], float]
    disaster: Callable[[FleetLoad], float]
    limit: float
    source: str
    turn: str

    def shares(self, load: FleetLoad) -> tuple[float, float]:
        """Return how much of it a fleet takes, in normal times and in a disaster."""
        return self.normal(load) / self.limit, self.disaster(load) / self.limit


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


def parts() -> list[PartOfSystem]:
    """Return the parts with their limits."""
    queue = figure("handler", "device.failed, batch 100", "per second")
    database = _MILLION / figure("handler", "device.failed, batch 100", "database cpu us per event")
    bench, aws = "`make bench`", "quota of AWS"
    return [
        PartOfSystem(
            "the queue of `device.failed`",
            lambda load: load.events / 4,
            lambda load: load.disaster,
            queue,
            bench,
            "`Shards` (× 4), `EventConcurrency`, if AWS raises the environments of a mapping",
        ),
        PartOfSystem(
            "the database: two cores, events",
            lambda load: load.events,
            lambda load: load.events + load.disaster,
            _CORES * database,
            bench,
            "RDS class (2 to 96 cores); then tenants on databases of their own",
        ),
        PartOfSystem(
            "the database: two cores, requests of 2 ms of CPU",
            lambda load: load.requests,
            lambda load: 2 * load.requests,
            _CORES * 500,
            "assumed",
            "RDS class; a read replica for the reads, 9 of 10 requests",
        ),
        PartOfSystem(
            "`allocation-api`: 50 environments, 20 ms a request",
            lambda load: load.requests,
            lambda load: 2 * load.requests,
            2500,
            "template, assumed",
            "`ReservedConcurrentExecutions`, with `DatabaseConnections`: an environment has one",
        ),
        PartOfSystem(
            "`expire`",
            lambda load: load.ends,
            lambda load: load.ends,
            MAX_PAGES * ALLOCATIONS_PER_TRANSACTION / _MINUTE,
            "code",
            "`MAX_PAGES` of `housekeeping/search_pass.py`; a function of its own",
        ),
        PartOfSystem(
            "`purge`, rows of `processed_messages`",
            lambda load: load.events,
            lambda load: load.events,
            CHUNKS_PER_RUN * ROWS_PER_STATEMENT / _MINUTE,
            "code",
            "`CHUNKS_PER_RUN` of `database/purge.py`; partitions by month, which are dropped",
        ),
        PartOfSystem(
            "the dispatcher, deliveries",
            lambda load: load.frames + load.emails,
            lambda load: load.frames + load.disaster,
            683,
            "`make bench-dispatch`, 8ea2c75",
            "`ReservedConcurrentExecutions` of the dispatcher: claims exclude each other",
        ),
        PartOfSystem(
            "SES",
            lambda load: load.emails,
            lambda load: load.emails,
            14,
            aws + " of a new account",
            "a higher sending rate, on request",
        ),
        PartOfSystem(
            "SNS, text messages",
            lambda load: load.emails / 10,
            lambda load: load.emails / 10,
            20,
            aws,
            "a higher quota and monthly spending limit, on request",
        ),
        PartOfSystem(
            "WebSocket API, new connections",
            lambda load: load.connections,
            lambda load: 10 * load.connections,
            500,
            aws,
            "a higher quota, on request; clients wait a random time before they connect again",
        ),
        PartOfSystem(
            "API Gateway, requests and frames",
            lambda load: load.requests + load.frames,
            lambda load: 2 * load.requests + load.frames + load.disaster,
            10_000,
            aws + " of an account and region",
            "a higher quota, on request",
        ),
        PartOfSystem(
            "DynamoDB, a user's connections looked up",
            lambda load: load.frames,
            lambda load: load.frames + load.disaster,
            12_000,
            aws + " of a new on-demand table",
            "a higher quota; warm throughput before a known peak",
        ),
    ]


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
