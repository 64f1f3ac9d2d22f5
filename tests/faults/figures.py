"""The figures of a drill, as a table."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, Final

from rich.table import Table

from tests.faults.crash_points import CrashPoint
from tests.faults.records import ProgressMoment

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from tests.faults.account import DrillBalance
    from tests.faults.drill import DrillReport
    from tests.faults.model import Fact

_MAX_LISTED: Final = 10


def totals(drill: DrillReport) -> Counter[str]:
    """Return the number of deliveries by settlement, as reported by the function."""
    summed: Counter[str] = Counter()
    for invocation in drill.invocations.returned:
        summed.update(invocation.totals)
    return summed


def recovery(drill: DrillReport) -> dict[str, list[float]]:
    """Return the sorted seconds from each kill until work continued, by what was killed.

    Function: until the queue's function committed or returned again; kills between two invocations
    are left out. Database: until the first commit after the restart began. Broker: until the end
    of the first invocation that began after the restart did.
    """
    returned, commits = drill.invocations.returned, drill.commits
    progress = [*commits, *(ProgressMoment(one.ended_at, one.queue) for one in returned)]
    at_work = [kill for kill in drill.function_kills if kill.point != CrashPoint.AFTER_RETURN]
    function = [
        _first(m.at for m in progress if m.queue == kill.queue and m.at > kill.at) - kill.at
        for kill in at_work
    ]
    after: dict[str, Callable[[float], float]] = {
        "MariaDB": lambda start: _first(c.at for c in commits if c.at > start),
        "RabbitMQ": lambda start: _first(i.ended_at for i in returned if i.began_at > start),
    }
    return {
        "function": sorted(function),
        **{
            name: sorted(
                first(outage.started_at) - outage.killed_at
                for outage in drill.outages
                if outage.server == name
            )
            for name, first in after.items()
        },
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the nearest-rank percentile of sorted values."""
    return values[max(0, math.ceil(share * len(values)) - 1)]


def table(drill: DrillReport) -> Table:
    """Return the account as a table."""
    made = Table("figure", "value", title=_title(drill), title_justify="left")
    for name, value in rows(drill):
        made.add_row(name, value)
    return made


def rows(drill: DrillReport) -> Iterator[tuple[str, str]]:
    """Yield the rows of the account."""
    said, errors = totals(drill), Counter(_kind(error) for error in drill.dead.values())
    yield "events published", f"{drill.distinct:,} ({drill.sent:,} messages sent)"
    yield "confirmed by the broker", f"{drill.confirmed:,} messages"
    yield "applied", f"{drill.balance.applied:,} events"
    yield "outdated", f"{drill.balance.outdated:,} events"
    yield "duplicates recognised", f"{said['duplicate']:,} deliveries"
    yield "retried after a delay", f"{said['retried']:,} deliveries"
    yield "dead-lettered", f"{len(drill.dead):,} events"
    for kind, count in errors.most_common():
        yield f"  {kind}", f"{count:,}"
    yield "  valid ones, replayed", f"{len(drill.replayed):,}"
    yield "held by the brake", f"{drill.held:,} events"
    yield "acknowledged with an error log", f"{drill.logged:,} events"
    yield "kills of the function", f"{len(drill.function_kills):,}"
    for point, count in Counter(kill.point for kill in drill.function_kills).most_common():
        yield f"  {point}", f"{count:,}"
    if drill.network_faults:
        yield "faults of the network", f"{drill.network_faults.total():,}"
    for (server, fault), count in sorted(drill.network_faults.items()):
        yield f"  {server}: {fault}", f"{count:,}"
    yield "invocations", f"{drill.invocations.count():,}"
    for error, count in Counter(drill.invocations.failed).most_common():
        yield f"  failed: {error}", f"{count:,}"
    for name, seconds in recovery(drill).items():
        if seconds:
            yield f"recovery, {name} ({len(seconds):,} kills)", _percentiles(seconds)
    yield from account_rows(drill.balance)
    yield "took", f"{drill.seconds:,.0f} s"


def account_rows(balance: DrillBalance) -> Iterator[tuple[str, str]]:
    """Yield what was lost, doubled or wrong."""
    for prefix, found in (("", balance.certain), ("without an id: ", balance.without_id)):
        yield f"{prefix}lost", f"{found.lost.total():,}{_listing(found.lost)}"
        yield f"{prefix}doubled", f"{found.doubled.total():,}{_listing(found.doubled)}"
        yield f"{prefix}wrong", f"{len(found.wrong):,}{_listing(found.wrong)}"
    if again := sum(n for fact, n in balance.without_id.doubled.items() if fact[0] == "processed"):
        yield "  taken for new ones", f"{again:,} messages returned apart from their neighbours"
    if balance.left_out:
        yield "  sent again for lack of a confirm", f"{balance.left_out:,} households, left out"
    if balance.wrongly_rejected:
        yield "wrongly rejected", _listing((key,) for key in balance.wrongly_rejected)


def _title(drill: DrillReport) -> str:
    plan = drill.plan
    variant = f", {plan.weakness.upper()}" if plan.weakness else ""
    return f"Account of the drill with seed {plan.seed}{variant}"


def _first(moments: Iterable[float]) -> float:
    return min(moments, default=math.inf)


def _percentiles(seconds: Sequence[float]) -> str:
    return f"p50 {percentile(seconds, 0.5):.2f} s, p99 {percentile(seconds, 0.99):.2f} s"


def _kind(error: str) -> str:
    return error.partition(":")[0]


def _listing(facts: Iterable[Fact]) -> str:
    listed = sorted(" ".join(fact) for fact in facts)
    more = "…" if len(listed) > _MAX_LISTED else ""
    return f": {'; '.join(listed[:_MAX_LISTED])}{more}" if listed else ""
