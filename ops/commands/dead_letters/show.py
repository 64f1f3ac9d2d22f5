"""``scheduler-ops dead-letters show``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from operations.dead_letters.arguments import MAX_SHOWN
from ops.commands.dead_letters import selecting
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.tables import body_text, letter_page
from ops.terminal import console, json_text


@connects
def show(  # noqa: PLR0913 - each is an option
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="[ID]...", help="Message ids. Default: any.")
    ] = None,
    *,
    queue: selecting.QueueOption = None,
    more_ids: selecting.IdOption = None,
    error: selecting.ErrorOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    limit: Annotated[
        int, typer.Option(min=1, max=MAX_SHOWN, help="Maximum number of letters.")
    ] = 10,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show dead letters with error, headers and body, the oldest first."""
    every_id = [*(ids or ()), *(more_ids or ())]
    chosen = selecting.selection(queue, error, every_id, older_than, newer_than)
    found = selecting.show(operations, chosen | {"limit": limit})
    selecting.note(found)
    selecting.require_match(found)
    if as_json:
        print(json_text({"letters": found["letters"]}))
    else:
        _print(found, limit)


def _print(found: dict[str, Any], limit: int) -> None:
    letters, now = found["letters"], datetime.now(UTC)
    for about in letters:
        console().print(letter_page(about, now))
        print(f"\n{body_text(about)}\n")
    if not letters:
        print("No dead letters.")
    if len(letters) == limit:
        print(f"Stopped at {limit} (--limit).")
    elif found["limited"]:
        print(f"Stopped at {len(letters)}: more do not fit into one answer; add filters.")
