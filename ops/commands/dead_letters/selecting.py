"""The filter options of the dead-letter commands, and notes on what they select."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from operations.dead_letters.selection import error_pattern
from operations.errors import InvalidInputError, OpsError
from ops.durations import parse_duration
from ops.interface import calls
from ops.terminal import counted, printable, reading_letters

if TYPE_CHECKING:
    from ops.interface import Operations

QueueOption = Annotated[
    list[str] | None,
    typer.Option("--queue", metavar="QUEUE", help="Work queue or event type; repeatable."),
]
ErrorOption = Annotated[
    str | None,
    typer.Option(
        "--error", metavar="TEXT", help="Text in the error; /…/ for a regular expression."
    ),
]
IdOption = Annotated[
    list[str] | None, typer.Option("--id", metavar="ID", help="Message id; repeatable.")
]
OlderThanOption = Annotated[
    str | None,
    typer.Option(
        "--older-than", metavar="AGE", help="Failed at least this long ago: 90s, 30m, 2h, 7d."
    ),
]
NewerThanOption = Annotated[
    str | None, typer.Option("--newer-than", metavar="AGE", help="Failed at most this long ago.")
]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only print what the command would do.")
]


def selection(
    queues: list[str] | None,
    error: str | None,
    ids: list[str] | None,
    older_than: str | None,
    newer_than: str | None,
) -> dict[str, Any]:
    """Return the arguments of an operation for the options.

    Raises:
        InvalidInputError: an age or the regular expression is malformed, or the text is empty, as
            of a variable that is not set: it would select every letter.
    """
    now = datetime.now(UTC)
    if error == "":
        raise InvalidInputError("the text of --error is empty; without --error all are selected")
    if error is not None:
        error_pattern(error)
    until = None if older_than is None else now - parse_duration(older_than)
    since = None if newer_than is None else now - parse_duration(newer_than)
    return {
        "queues": queues or [],
        "error": error,
        "ids": ids or [],
        "failedUntil": until and until.isoformat(),
        "failedSince": since and since.isoformat(),
    }


def show(operations: Operations, arguments: dict[str, Any]) -> dict[str, Any]:
    """Return the first letters of a selection, and the counts of all that were read."""
    total, sources = 0, Counter[str]()
    with reading_letters() as progress:
        for found in calls(operations, "dead-letters.show", arguments):
            total += found["total"]
            sources.update(found["sources"])
            progress(total)
    return found | {"total": total, "sources": dict(sources)}


def note(result: dict[str, Any]) -> None:
    """Tell on stderr why letters may be missing in a result."""
    if readers := result.get("readers"):
        who = "another program is" if readers == 1 else f"{readers} other programs are"
        held = result.get("held")
        letters = counted(held, "letter") if held else "letters"
        text = f"note: {who} reading dead letters; {letters} held there are missing here"
        print(text, file=sys.stderr)
    if not result.get("complete", True):
        print("note: there was not enough time to read all dead letters", file=sys.stderr)


def note_unwritten(problem: str) -> None:
    """Print on stderr why the timeline does not show what the command did, if it does not."""
    if problem:
        print(printable(f"note: timelines do not show this: {problem}"), file=sys.stderr)


def require_match(result: dict[str, Any]) -> None:
    """Raise an error if there are letters but none was selected.

    Raises:
        OpsError: the message lists the queues that have letters.
    """
    if result["total"] and not result["matched"]:
        raise OpsError(no_match_message(result))


def no_match_message(result: dict[str, Any]) -> str:
    """Return the message for an empty selection; it lists the queues that have letters."""
    there = ", ".join(f"{queue} ({count})" for queue, count in result["sources"].items())
    return printable(
        f"no dead letter matches (replayed, edited and discarded ones are gone); there are letters"
        f" from {there}"
    )
