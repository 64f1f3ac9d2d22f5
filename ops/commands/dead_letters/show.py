"""``scheduler-ops dead-letters show``."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import Annotated

import typer
from rich.console import Group as Lines

from ops import options
from ops.commands.dead_letters import filters
from ops.commands.dead_letters.letters import letters_of
from ops.dead_letters.describe import describe
from ops.dead_letters.selection import Sieve
from ops.dead_letters.tables import page


def command(  # noqa: PLR0913 - each is an option
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Message ids. Default: any.")
    ] = None,
    *,
    queue: filters.Queues = None,
    error: filters.Error = None,
    older_than: filters.OlderThan = None,
    newer_than: filters.NewerThan = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many.")] = 10,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Show dead letters in full, the oldest first: why they failed, headers and body."""
    now = datetime.now(UTC)
    with options.outcome(as_json=as_json):
        sieve = Sieve(filters.selection(queue, error, ids, older_than, newer_than, now))
        with letters_of(options.broker_url(broker), "Reading") as letters:
            found = [one.letter for one in islice(sieve.sift(letters), limit)]
        sieve.require_match()
        data = {"letters": [describe(letter) for letter in found]}
        more = f"Stopped at {limit} (--limit)." if len(found) == limit else ""
        pages = Lines(*(page(letter, now) for letter in found), more)
        options.say(pages if found else "No dead letters.", data, as_json=as_json)
