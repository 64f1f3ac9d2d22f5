"""One drill: events are published while the function, the broker and the database are killed."""

from __future__ import annotations

import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tests.faults.account import Balance, Seen, balance
from tests.faults.errorlog import logged_errors
from tests.faults.sabotage import Saboteur
from tests.faults.scenarios import workload
from tests.faults.seeded import seeded
from tests.faults.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from tests.faults.account import Expected
    from tests.faults.invocations import Invocations
    from tests.faults.plan import Plan, Servers
    from tests.faults.records import Death, Moment
    from tests.faults.sabotage import Outage
    from tests.faults.workload import Published, Workload

_BURSTS: Final = (10, 40, 200)
_ENCORE: Final = 40
_POLL_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class Drill:
    """What happened, for the account."""

    plan: Plan
    distinct: int
    sent: int
    confirmed: int
    first: Balance
    """Before valid events among the dead letters were replayed."""
    final: Balance
    dead: dict[str, str]
    """As found first: the error of each dead letter, by event."""
    logged: int
    deaths: list[Death]
    outages: list[Outage]
    commits: list[Moment]
    invocations: Invocations
    seconds: float


def run(
    plan: Plan,
    servers: Servers,
    folder: Path,
    progress: Callable[[float, int], None] = lambda _share, _deaths: None,
) -> Drill:
    """Run a drill and return what came of it.

    Args:
        plan: what to do.
        servers: get a database and a vhost of their own for it.
        folder: empty; receives the function's logs and the drill's records.
        progress: told the share of messages published and the deaths so far.
    """
    began, load = time.monotonic(), workload(plan.seed, plan.events)
    with closing(Stage(plan, servers, folder, load.world)) as stage:
        outages = _perform(load, plan, stage, servers, progress)
        dead = stage.broker.dead_letters()
        first = final = seen_balance(load.expected, stage, dead)
        if replayable := first.astray & dead.keys():
            stage.broker.replay(replayable)
            stage.come_to_rest(kills=0)
            final = seen_balance(load.expected, stage, stage.broker.dead_letters())
        return Drill(
            plan=plan,
            distinct=load.distinct,
            sent=stage.broker.sent,
            confirmed=stage.broker.confirmed.total(),
            first=first,
            final=final,
            dead=dead,
            logged=len(logged_errors(stage.logs)),
            deaths=stage.deaths.all(),
            outages=outages,
            commits=stage.commits.all(),
            invocations=stage.invocations,
            seconds=time.monotonic() - began,
        )


def seen_balance(expected: Expected, stage: Stage, dead: dict[str, str]) -> Balance:
    """Return the balance of what is in the databases, the logs and among the dead letters."""
    store = stage.store
    seen = Seen(store.effects(), store.states(), dead, logged_errors(stage.logs))
    return balance(expected, frozenset(stage.broker.confirmed), seen)


def _perform(
    load: Workload,
    plan: Plan,
    stage: Stage,
    servers: Servers,
    progress: Callable[[float, int], None],
) -> list[Outage]:
    """Publish everything while things break, and return when all that was published is settled."""
    with Saboteur(plan, servers) as saboteur:
        with stage.function(plan.kills):
            _publish(load.messages, plan, stage, saboteur, progress)
            saboteur.await_repair()
            stage.await_quiet()
        stage.come_to_rest(plan.kills)
        return saboteur.outages


def _publish(
    messages: Sequence[Published],
    plan: Plan,
    stage: Stage,
    saboteur: Saboteur,
    progress: Callable[[float, int], None],
) -> None:
    """Publish in bursts, and between them no faster than the function dies.

    So the deaths spread over the whole load. If it was not enough to die over, some of it is
    published once more, as at-least-once producers do.
    """
    published = 0
    for burst in _bursts(messages, plan.seed):
        published += len(burst)
        share = published / len(messages)
        _publish_burst(burst, stage, share * plan.kills)
        saboteur.published(share)
        progress(share, stage.deaths.count())
    encore = seeded(plan.seed, "encore")
    while stage.deaths.count() < plan.kills:
        burst = encore.sample(messages, min(_ENCORE, len(messages)))
        _publish_burst(burst, stage, plan.kills)
        progress(1.0, stage.deaths.count())


def _publish_burst(burst: Sequence[Published], stage: Stage, deaths: float) -> None:
    """Publish, and return when there were so many deaths or nothing is left to die over."""
    for message in burst:
        stage.broker.publish(message)
    while stage.deaths.count() < deaths and stage.broker.waiting() != 0:
        time.sleep(_POLL_SECONDS)


def _bursts(messages: Sequence[Published], seed: int) -> Iterator[Sequence[Published]]:
    chance, at = seeded(seed, "bursts"), 0
    while at < len(messages):
        size = chance.choice(_BURSTS)
        yield messages[at : at + size]
        at += size
