"""``scheduler-ops dead-letters list``."""

from __future__ import annotations

from datetime import UTC, datetime

from rich.console import Group as Lines

from ops import options
from ops.commands.dead_letters import filters
from ops.commands.dead_letters.letters import letters_of
from ops.dead_letters.groups import grouped
from ops.dead_letters.selection import Sieve
from ops.dead_letters.tables import overview


def command(
    *,
    queue: filters.Queues = None,
    error: filters.Error = None,
    ids: filters.Ids = None,
    older_than: filters.OlderThan = None,
    newer_than: filters.NewerThan = None,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Count dead letters by the queue they come from and by error.

    Errors that differ only in ids and numbers are counted together.
    """
    now = datetime.now(UTC)
    with options.outcome(as_json=as_json):
        sieve = Sieve(filters.selection(queue, error, ids, older_than, newer_than, now))
        with letters_of(options.broker_url(broker)) as letters:
            groups = grouped(one.letter for one in sieve.sift(letters))
        data = {
            "total": sieve.total,
            "matched": sieve.matched,
            "groups": [group.to_json() for group in groups],
        }
        said = _summary(sieve)
        options.say(
            Lines(overview(groups, now), "", said) if groups else said, data, as_json=as_json
        )


def _summary(sieve: Sieve) -> str:
    if sieve.total and not sieve.matched:
        return f"{sieve.nothing}."
    total = f"{sieve.total} dead letter{'' if sieve.total == 1 else 's'}"
    shown = "" if sieve.matched == sieve.total else f", {sieve.matched} of them selected"
    return f"{total}{shown}."
