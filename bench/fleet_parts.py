"""The load of a fleet on each part of the system, and its limit, for docs/scale.md."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from bench.measured import figure
from housekeeping.search_pass import MAX_PAGES
from scheduler.database.active_allocations import ALLOCATIONS_PER_TRANSACTION
from scheduler.database.purge import CHUNKS_PER_RUN, ROWS_PER_STATEMENT

if TYPE_CHECKING:
    from collections.abc import Callable

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
        """One notification in ten is also sent by e-mail, and one in a hundred by SMS."""
        return self.frames / 10

    @property
    def rows(self) -> float:
        """A row for each event and notification; an allocation has one, and two outgoing events."""
        return self.events + self.frames + 3 * self.ends

    @property
    def connections(self) -> float:
        """One user in ten has the page open; a connection lasts two hours."""
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
            "`purge`, rows of all tables",
            lambda load: load.rows,
            lambda load: load.rows,  # those of a disaster are due weeks later, and may wait
            CHUNKS_PER_RUN * ROWS_PER_STATEMENT / _MINUTE,
            "code",
            "`CHUNKS_PER_RUN` of `database/purge.py`; partitions by month, which are dropped",
        ),
        PartOfSystem(
            "the dispatcher, deliveries",
            lambda load: load.frames + load.emails,
            lambda load: load.frames + load.disaster,
            282,
            "`make bench-dispatch`, 137866c; the limit is the emulator",
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
