"""A drill: publishes events while function, broker, database and network fail."""

from __future__ import annotations

import time
from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from scheduler.pipeline.redelivery import KILLED
from tests.faults.account import DrillBalance, Observed, settle_account
from tests.faults.drill_plan import Weakness, seeded
from tests.faults.environment import DrillEnvironment
from tests.faults.network import Network
from tests.faults.records import logged_errors
from tests.faults.scenarios import workload
from tests.faults.server_kills import ServerKiller
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.faults.drill_plan import DrillPlan, NetworkFault, Servers
    from tests.faults.invocations import InvocationLog
    from tests.faults.records import FunctionKill, ProgressMoment
    from tests.faults.scenarios import Scenario
    from tests.faults.server_kills import ServerOutage
    from tests.faults.workload import DrillMessage, DrillWorkload

_BURSTS: Final = (10, 40, 200)
_MAX_REPEATED: Final = 40
_BRAKE_ENGAGED: Final = 0.3
_BRAKE_RELEASED: Final = 0.6
"""Shares of the load between which the brake holds releases."""
_STRAGGLERS_SECONDS: Final = 15.0


@dataclass(frozen=True, slots=True)
class DrillReport:
    """What happened in a drill."""

    plan: DrillPlan
    distinct: int
    sent: int
    confirmed: int
    balance: DrillBalance
    replayed: frozenset[str]
    """Events that were wrongly among the dead letters and were replayed, by key."""
    held: int
    """Messages that the brake held at least once."""
    dead: dict[str, str]
    """The error of each dead letter before the replay, by event key."""
    logged: int
    function_kills: list[FunctionKill]
    network_faults: Counter[tuple[str, NetworkFault]]
    outages: list[ServerOutage]
    commits: list[ProgressMoment]
    invocations: InvocationLog
    seconds: float


def run(
    plan: DrillPlan,
    servers: Servers,
    folder: Path,
    progress: Callable[[float, int], None] = lambda _share, _faults: None,
    scenarios: Sequence[Scenario] = (),
) -> DrillReport:
    """Run a drill and return its report.

    Args:
        plan: the numbers of events and faults, and the seed.
        servers: running servers; the drill creates its own database and vhost.
        folder: an empty folder for the function's logs and the drill's records.
        progress: called with the share of messages published and the faults so far.
        scenarios: what to draw from; by default all.
    """
    began, load = time.monotonic(), workload(plan.seed, plan.events, only=scenarios)
    with ExitStack() as stack:
        network = stack.enter_context(Network(plan))
        environment = DrillEnvironment(plan, servers, folder, load.households, network)
        stack.enter_context(closing(environment))
        outages = _perform(load, environment, ServerKiller(plan, servers), progress)
        dead = environment.broker.dead_letters()
        replayed = load.replayable & dead.keys()
        if replayed:
            environment.broker.replay(replayed)
            environment.drain(kills=0)
            _drain_stragglers(load, environment)
        if plan.weakness is Weakness.TAMPERED:
            environment.store.tamper()
        return DrillReport(
            plan=plan,
            distinct=load.distinct,
            sent=environment.broker.sent,
            confirmed=environment.broker.confirmed.total(),
            balance=observed_balance(load, environment),
            replayed=replayed,
            held=environment.store.held(),
            dead=dead,
            logged=len(logged_errors(environment.logs)),
            function_kills=environment.function_kills.all(),
            network_faults=network.faults,
            outages=outages,
            commits=environment.commits.all(),
            invocations=environment.invocations,
            seconds=time.monotonic() - began,
        )


def is_clean(drill: DrillReport) -> bool:
    """Return whether a drill found nothing to report.

    No invocation may have hung, and a valid event may be dead-lettered only because its consumer
    was killed repeatedly.
    """
    reasons = {drill.dead[key] for key in drill.replayed}
    hung = "Sandbox.Timedout" in drill.invocations.failed
    return drill.balance.is_perfect and reasons <= {KILLED} and not hung


def observed_balance(load: DrillWorkload, environment: DrillEnvironment) -> DrillBalance:
    """Return the account of what is in the databases, the logs and the dead-letter queue."""
    store = environment.store
    store.keep_house()
    facts = store.facts()
    return settle_account(
        load,
        Observed(
            facts,
            environment.broker.dead_letters(),
            logged_errors(environment.logs),
            store.broken_rules({fact[1] for fact in facts if fact[0] == "erased"}),
            frozenset(environment.broker.ambiguous),
        ),
    )


def _perform(
    load: DrillWorkload,
    environment: DrillEnvironment,
    killer: ServerKiller,
    progress: Callable[[float, int], None],
) -> list[ServerOutage]:
    """Publish everything while servers are killed, and return when all messages are settled."""
    kills = environment.plan.kills
    with killer:
        with environment.function(kills):
            _publish(load.messages, environment, killer, progress)
            killer.await_restarts()
            environment.await_quiet()
        environment.drain(kills)
        _drain_stragglers(load, environment)
        return killer.outages


def _drain_stragglers(load: DrillWorkload, environment: DrillEnvironment) -> None:
    if not environment.plan.weakness and _has_stragglers(load, environment):
        with environment.function(kills=0):
            environment.await_quiet(_STRAGGLERS_SECONDS)


def _has_stragglers(load: DrillWorkload, environment: DrillEnvironment) -> bool:
    """Return whether an event has not ended although no queue says that it has messages.

    A busy broker may take seconds from a retry queue to its work queue, and counts the message in
    neither. What is lost stays lost however long one waits.
    """
    ended = environment.store.processed() | logged_errors(environment.logs)
    ended |= environment.broker.dead_letters().keys()
    valid = (event for home in load.households for event in home.events)
    return not ended.issuperset(load.rejected) or any(
        event.id not in ended and event.key not in ended for event in valid
    )


def _publish(
    messages: Sequence[DrillMessage],
    environment: DrillEnvironment,
    killer: ServerKiller,
    progress: Callable[[float, int], None],
) -> None:
    """Publish in bursts, and wait between them until there were enough faults.

    This spreads them over the whole load. If the load ends before the faults, some messages are
    published again, as at-least-once producers do. For a part of the load, an operator has the
    releases of failing devices held.
    """
    published, seed, wanted = 0, environment.plan.seed, environment.faults_wanted
    brake = {
        _BRAKE_ENGAGED: environment.store.engage_brake,
        _BRAKE_RELEASED: environment.release_brake,
    }
    for burst in _bursts(messages, seed):
        published += len(burst)
        share = published / len(messages)
        _publish_burst(burst, environment, share * wanted)
        killer.published(share)
        for due in [at for at in brake if at <= share]:
            brake.pop(due)()
        progress(share, environment.faults())
    repeats = seeded(seed, "repeats")
    identified = [message for message in messages if message.identified]
    while environment.faults() < wanted:
        burst = repeats.sample(identified, min(_MAX_REPEATED, len(identified)))
        _publish_burst(burst, environment, wanted)
        progress(1.0, environment.faults())


def _publish_burst(
    burst: Sequence[DrillMessage], environment: DrillEnvironment, faults: float
) -> None:
    """Publish, and return after so many faults or when no message waits."""
    for message in burst:
        environment.broker.publish(message)
    eventually(
        lambda: environment.faults() >= faults or environment.broker.waiting() == 0,
        "the burst is consumed, or causes the last fault",
    )


def _bursts(messages: Sequence[DrillMessage], seed: int) -> Iterator[Sequence[DrillMessage]]:
    chance, at = seeded(seed, "bursts"), 0
    while at < len(messages):
        size = chance.choice(_BURSTS)
        yield messages[at : at + size]
        at += size
