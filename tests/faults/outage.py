"""A long outage of the database: every message is parked, again and again, and none is given up."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.faults.drill import seen_balance
from tests.faults.scenarios import workload
from tests.faults.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.account import Balance
    from tests.faults.plan import Plan, Servers
    from tests.faults.workload import Published

_BEFORE: Final = 0.1
"""The share of messages that finds the database there; it warms the function up."""


@dataclass(frozen=True, slots=True)
class OutageDrill:
    """What happened while the database was away, and what came of it afterwards."""

    plan: Plan
    outage_seconds: float
    messages: int
    """Sent while the database was away."""
    distinct: int
    queues: int
    """With traffic during the outage."""
    invocations: int
    parked: int
    """Deliveries given to a retry queue during the outage."""
    dead: int
    balance: Balance

    @property
    def delays(self) -> float:
        """Return how many retry delays the outage lasted."""
        return self.outage_seconds * 1000 / self.plan.retry_delay_ms

    @property
    def parked_per_delay(self) -> float:
        """Return how often a message was handed over per retry delay; a hot loop is far above 1."""
        return self.parked / self.messages / self.delays


def run_outage(plan: Plan, servers: Servers, folder: Path, seconds: float) -> OutageDrill:
    """Take the database away for so long while valid events are published, then bring it back."""
    load = workload(plan.seed, plan.events, faulty=False)
    first = round(len(load.messages) * _BEFORE)
    with closing(Stage(plan, servers, folder, load.world)) as stage:
        with stage.function(kills=0):
            for message in load.messages[:first]:
                stage.broker.publish(message)
            stage.await_quiet()
            began_at = time.time()
            servers.mariadb.kill()
            _publish_over(load.messages[first:], stage, seconds)
            servers.mariadb.start()
            ended_at = time.time()
            stage.await_quiet()
        stage.come_to_rest(kills=0)
        dead = stage.broker.dead_letters()
        during = [i for i in stage.invocations.returned if began_at < i.ended_at < ended_at]
        return OutageDrill(
            plan=plan,
            outage_seconds=ended_at - began_at,
            messages=len(load.messages) - first,
            distinct=load.distinct,
            queues=len({invocation.queue for invocation in during}),
            invocations=len(during),
            parked=sum(invocation.totals.get("retried", 0) for invocation in during),
            dead=len(dead),
            balance=seen_balance(load.expected, stage, dead),
        )


def _publish_over(messages: Sequence[Published], stage: Stage, seconds: float) -> None:
    """Publish evenly in the first half of the time, then wait for its end."""
    began = time.monotonic()
    for number, message in enumerate(messages):
        time.sleep(max(0, began + number / len(messages) * seconds / 2 - time.monotonic()))
        stage.broker.publish(message)
    time.sleep(max(0, began + seconds - time.monotonic()))


def table(drill: OutageDrill) -> Table:
    """Return the account as a table."""
    made = Table("figure", "value", title="Account of a database outage", title_justify="left")
    for name, value in _rows(drill):
        made.add_row(name, value)
    return made


def _rows(drill: OutageDrill) -> Iterator[tuple[str, str]]:
    minutes = drill.outage_seconds / 60
    per_minute = drill.invocations / minutes
    yield "outage", f"{drill.outage_seconds:.0f} s = {drill.delays:.1f} retry delays"
    yield "messages published meanwhile", f"{drill.messages:,}"
    yield "parked", f"{drill.parked:,} deliveries, {drill.parked_per_delay:.2f} a message and delay"
    yield "invocations", f"{drill.invocations:,} on {drill.queues} queues"
    yield "  per minute", f"{per_minute:.1f}, {per_minute / drill.queues:.1f} a queue"
    per_delay = drill.invocations / drill.delays
    yield "  per retry delay", f"{per_delay:.1f}, {per_delay / drill.queues:.1f} a queue"
    yield "dead letters", f"{drill.dead:,}"
    yield "applied afterwards", f"{len(drill.balance.applied):,} of {drill.distinct:,} events"
    yield "lost", f"{len(drill.balance.lost):,}"
    yield "doubled", f"{drill.balance.doubled.total():,}"
