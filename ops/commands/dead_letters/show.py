"""``scheduler-ops dead-letters show``."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ops import options
from ops.commands.dead_letters import filters
from ops.commands.dead_letters.letters import letters_of
from ops.dead_letters.describe import describe
from ops.dead_letters.selection import Sieve
from ops.dead_letters.tables import body, page

if TYPE_CHECKING:
    from ops.dead_letters.letter import DeadLetter


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
        with letters_of(options.broker_url(broker)) as letters:
            found = [one.letter for one in islice(sieve.sift(letters), limit)]
        sieve.require_match()
        if as_json:
            print(options.as_text({"letters": [describe(letter) for letter in found]}))
        else:
            _print(found, now, limit)


def _print(found: list[DeadLetter], now: datetime, limit: int) -> None:
    for letter in found:
        options.console().print(page(letter, now))
        print(f"\n{body(letter)}\n")
    if not found:
        print("No dead letters.")
    if len(found) == limit:
        print(f"Stopped at {limit} (--limit).")
