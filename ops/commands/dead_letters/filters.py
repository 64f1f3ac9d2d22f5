"""The options by which all dead-letter commands select letters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from ops.dead_letters.selection import Selection, duration, error_pattern, queue_name

if TYPE_CHECKING:
    from datetime import datetime

Queues = Annotated[
    list[str] | None,
    typer.Option("--queue", metavar="QUEUE", help="Of this work queue or event; repeatable."),
]
Error = Annotated[
    str | None,
    typer.Option(metavar="TEXT", help="With this in the error; /…/ is a regular expression."),
]
Ids = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="With this message id; repeatable.")
]
OlderThan = Annotated[
    str | None, typer.Option(metavar="AGE", help="Failed at least so long ago: 90s, 30m, 2h, 7d.")
]
NewerThan = Annotated[str | None, typer.Option(metavar="AGE", help="Failed since then.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done.")]


def selection(
    queues: list[str] | None,
    error: str | None,
    ids: list[str] | None,
    older_than: str | None,
    newer_than: str | None,
    now: datetime,
) -> Selection:
    """Return the selection that the options describe.

    Raises:
        InvalidInputError: an age or a regular expression is malformed.
    """
    return Selection(
        queues=frozenset(map(queue_name, queues or ())),
        error=error_pattern(error) if error else None,
        ids=frozenset(ids or ()),
        failed_until=now - duration(older_than) if older_than else None,
        failed_since=now - duration(newer_than) if newer_than else None,
    )
