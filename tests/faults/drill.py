"""A drill: publishes events while the function, the broker and the database are killed."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.faults.account import DrillBalance, Observed, settle_account
from tests.faults.drill_plan import seeded
from tests.faults.environment import DrillEnvironment
from tests.faults.records import logged_errors
from tests.faults.scenarios import workload
from tests.faults.server_kills import ServerKiller

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.faults.account import Expected
    from tests.faults.drill_plan import DrillPlan, Servers
    from tests.faults.invocations import InvocationLog
    from tests.faults.records import FunctionKill, ProgressMoment
    from tests.faults.server_kills import ServerOutage
    from tests.faults.workload import DrillMessage, DrillWorkload

_BURSTS: Final = (10, 40, 200)
_MAX_REPEATED: Final = 40
_BRAKE_ENGAGED: Final = 0.3
_BRAKE_RELEASED: Final = 0.6
"""Shares of the load between which the brake holds releases."""
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What happened in a drill."""

    plan: DrillPlan
    distinct: int
    sent: int
    confirmed: int
    ambiguous: int
    """Events without an id that were sent again for lack of a confirm; their copies may count."""
    first: DrillBalance
    """The account before dead letters of valid events are replayed."""
    final: DrillBalance
    dead: dict[str, str]
    """The error of each dead letter before the replay, by event key."""
    logged: int
    function_kills: list[FunctionKill]
    outages: list[ServerOutage]
    commits: list[ProgressMoment]
    invocations: InvocationLog
    seconds: float


def run(
    plan: DrillPlan,
    servers: Servers,
    folder: Path,
    progress: Callable[[float, int], None] = lambda _share, _deaths: None,
) -> DrillReport:
    """Run a drill and return its report.

    Args:
        plan: the numbers of events and kills, and the seed.
        servers: running servers; the drill creates its own database and vhost.
        folder: an empty folder for the function's logs and the drill's records.
        progress: called with the share of messages published and the kills so far.
    """
    began, load = time.monotonic(), workload(plan.seed, plan.events)
    with closing(DrillEnvironment(plan, servers, folder, load.world)) as environment:
        outages = _perform(load, plan, environment, servers, progress)
        environment.store.serve_waiting()
        dead = environment.broker.dead_letters()
        first = final = observed_balance(load.expected, environment, dead)
        if replayable := first.wrongly_rejected & dead.keys():
            environment.broker.replay(replayable)
            environment.drain(kills=0)
            environment.store.serve_waiting()
            final = observed_balance(load.expected, environment, environment.broker.dead_letters())
        return DrillReport(
            plan=plan,
            distinct=load.distinct,
            sent=environment.broker.sent,
            confirmed=environment.broker.confirmed.total(),
            ambiguous=len(environment.broker.ambiguous),
            first=first,
            final=final,
            dead=dead,
            logged=len(logged_errors(environment.logs)),
            function_kills=environment.function_kills.all(),
            outages=outages,
            commits=environment.commits.all(),
            invocations=environment.invocations,
            seconds=time.monotonic() - began,
        )


def observed_balance(
    expected: Expected, environment: DrillEnvironment, dead: dict[str, str]
) -> DrillBalance:
    """Return the account of what is in the databases, the logs and the dead-letter queue."""
    store = environment.store
    observed = Observed(
        store.effects(),
        store.states(),
        dead,
        logged_errors(environment.logs),
        environment.broker.ambiguous,
    )
    return settle_account(expected, frozenset(environment.broker.confirmed), observed)


def _perform(
    load: DrillWorkload,
    plan: DrillPlan,
    environment: DrillEnvironment,
    servers: Servers,
    progress: Callable[[float, int], None],
) -> list[ServerOutage]:
    """Publish everything while servers are killed, and return when all messages are settled."""
    with ServerKiller(plan, servers) as killer:
        with environment.function(plan.kills):
            _publish(load.messages, plan, environment, killer, progress)
            killer.await_restarts()
            environment.await_quiet()
        environment.drain(plan.kills)
        return killer.outages


def _publish(
    messages: Sequence[DrillMessage],
    plan: DrillPlan,
    environment: DrillEnvironment,
    killer: ServerKiller,
    progress: Callable[[float, int], None],
) -> None:
    """Publish in bursts, and wait between them until the function was killed often enough.

    This spreads the kills over the whole load. If the load ends before the kills, some messages are
    published again, as at-least-once producers do. For a part of the load, an operator has the
    releases of failing devices held.
    """
    published = 0
    brake = {
        _BRAKE_ENGAGED: environment.store.engage_brake,
        _BRAKE_RELEASED: environment.store.release_brake,
    }
    for burst in _bursts(messages, plan.seed):
        published += len(burst)
        share = published / len(messages)
        _publish_burst(burst, environment, share * plan.kills)
        killer.published(share)
        for due in [at for at in brake if at <= share]:
            brake.pop(due)()
        progress(share, environment.function_kills.count())
    repeats = seeded(plan.seed, "repeats")
    identified = [message for message in messages if message.identified]
    while environment.function_kills.count() < plan.kills:
        burst = repeats.sample(identified, min(_MAX_REPEATED, len(identified)))
        _publish_burst(burst, environment, plan.kills)
        progress(1.0, environment.function_kills.count())


def _publish_burst(
    burst: Sequence[DrillMessage], environment: DrillEnvironment, function_kills: float
) -> None:
    """Publish, and return after so many kills or when no message waits."""
    for message in burst:
        environment.broker.publish(message)
    while environment.function_kills.count() < function_kills and environment.broker.waiting() != 0:
        time.sleep(_POLL_SECONDS)


def _bursts(messages: Sequence[DrillMessage], seed: int) -> Iterator[Sequence[DrillMessage]]:
    chance, at = seeded(seed, "bursts"), 0
    while at < len(messages):
        size = chance.choice(_BURSTS)
        yield messages[at : at + size]
        at += size
