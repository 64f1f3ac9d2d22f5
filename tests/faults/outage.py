"""A long database outage: every message is parked repeatedly, and none is dead-lettered."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.faults.drill import observed_balance
from tests.faults.environment import DrillEnvironment
from tests.faults.figures import account_rows
from tests.faults.network import Network
from tests.faults.scenarios import workload

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.account import DrillBalance
    from tests.faults.drill_plan import DrillPlan, Servers
    from tests.faults.workload import DrillMessage

_WARM_UP: Final = 0.1
"""Share of messages that are published before the outage, to start the functions."""


@dataclass(frozen=True, slots=True)
class OutageDrill:
    """What happened during and after a database outage."""

    plan: DrillPlan
    outage_seconds: float
    messages: int
    """Published during the outage."""
    distinct: int
    queues: int
    """Queues with invocations during the outage."""
    invocations: int
    parked: int
    """Deliveries parked during the outage."""
    dead: int
    balance: DrillBalance

    @property
    def delays(self) -> float:
        """Return how many retry delays the outage lasted."""
        return self.outage_seconds * 1000 / self.plan.retry_delay_ms

    @property
    def parked_per_delay(self) -> float:
        """Return how often a message was parked per retry delay; far above 1 means a hot loop."""
        return self.parked / self.messages / self.delays


def run_outage(plan: DrillPlan, servers: Servers, folder: Path, seconds: float) -> OutageDrill:
    """Stop the database for so many seconds while valid events are published."""
    load = workload(plan.seed, plan.events, faulty=False)
    first = round(len(load.messages) * _WARM_UP)
    with (
        Network(plan) as network,
        closing(DrillEnvironment(plan, servers, folder, load.households, network)) as environment,
    ):
        with environment.function(kills=0):
            for message in load.messages[:first]:
                environment.broker.publish(message)
            environment.await_quiet()
            began_at = time.time()
            servers.mariadb.kill()
            _publish_over(load.messages[first:], environment, seconds)
            servers.mariadb.start()
            ended_at = time.time()
            environment.await_quiet()
        environment.drain(kills=0)
        dead = environment.broker.dead_letters()
        during = [i for i in environment.invocations.returned if began_at < i.ended_at < ended_at]
        return OutageDrill(
            plan=plan,
            outage_seconds=ended_at - began_at,
            messages=len(load.messages) - first,
            distinct=load.distinct,
            queues=len({invocation.queue for invocation in during}),
            invocations=len(during),
            parked=sum(invocation.totals.get("retried", 0) for invocation in during),
            dead=len(dead),
            balance=observed_balance(load, environment),
        )


def _publish_over(
    messages: Sequence[DrillMessage], environment: DrillEnvironment, seconds: float
) -> None:
    """Publish at a steady rate in the first half of the time, then wait for its end."""
    began = time.monotonic()
    for number, message in enumerate(messages):
        time.sleep(max(0, began + number / len(messages) * seconds / 2 - time.monotonic()))
        environment.broker.publish(message)
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
    yield "messages published during the outage", f"{drill.messages:,}"
    yield "parked", f"{drill.parked:,} deliveries, {drill.parked_per_delay:.2f} a message and delay"
    yield "invocations", f"{drill.invocations:,} on {drill.queues} queues"
    yield "  per minute", f"{per_minute:.1f}, {per_minute / drill.queues:.1f} a queue"
    per_delay = drill.invocations / drill.delays
    yield "  per retry delay", f"{per_delay:.1f}, {per_delay / drill.queues:.1f} a queue"
    yield "dead letters", f"{drill.dead:,}"
    ended = drill.balance.applied + drill.balance.outdated
    yield "applied or outdated afterwards", f"{ended:,} of {drill.distinct:,} events"
    yield from account_rows(drill.balance)
