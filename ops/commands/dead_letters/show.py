"""``scheduler-ops dead-letters show``."""

from __future__ import annotations

from datetime import UTC, datetime
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from ops import options
from ops.commands.dead_letters import selecting
from ops.dead_letters.describe import describe
from ops.dead_letters.selection import Filter
from ops.dead_letters.tables import body_text, letter_page
from ops.terminal import console, handled_errors, json_text

if TYPE_CHECKING:
    from ops.dead_letters.letter import DeadLetter


def show(  # noqa: PLR0913 - each is an option
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Message ids. Default: any.")
    ] = None,
    *,
    queue: selecting.QueueOption = None,
    error: selecting.ErrorOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    limit: Annotated[int, typer.Option(min=1, help="Maximum number of letters.")] = 10,
    broker: options.BrokerUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show dead letters with error, headers and body, the oldest first."""
    now = datetime.now(UTC)
    with handled_errors(as_json=as_json):
        chosen = Filter(selecting.selection(queue, error, ids, older_than, newer_than, now))
        with selecting.current_letters(options.broker_url(broker)) as letters:
            found = [one.letter for one in islice(chosen.apply(letters), limit)]
        chosen.require_match()
        if as_json:
            print(json_text({"letters": [describe(letter) for letter in found]}))
        else:
            _print(found, now, limit)


def _print(found: list[DeadLetter], now: datetime, limit: int) -> None:
    for letter in found:
        console().print(letter_page(letter, now))
        print(f"\n{body_text(letter)}\n")
    if not found:
        print("No dead letters.")
    if len(found) == limit:
        print(f"Stopped at {limit} (--limit).")
