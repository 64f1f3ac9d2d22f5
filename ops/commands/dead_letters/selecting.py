"""The filter options of the dead-letter commands, and reading the letters they select."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ops.broker import connected
from ops.dead_letters.queue import dead_letter_queue
from ops.dead_letters.selection import Selection, error_pattern, parse_duration, queue_name
from ops.terminal import progress_bars, track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ops.dead_letters.queue import TakenLetter

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
    now: datetime,
) -> Selection:
    """Return the selection for the options.

    Raises:
        InvalidInputError: an age or the regular expression is malformed.
    """
    return Selection(
        queues=frozenset(map(queue_name, queues or ())),
        error=error_pattern(error) if error else None,
        ids=frozenset(ids or ()),
        failed_until=now - parse_duration(older_than) if older_than else None,
        failed_since=now - parse_duration(newer_than) if newer_than else None,
    )


@contextmanager
def current_letters(broker_url: str, label: str = "") -> Iterator[Iterable[TakenLetter]]:
    """Read the current dead letters, the oldest first; those not removed stay in the queue.

    Args:
        broker_url: the broker's.
        label: of a second progress bar, if processing a letter takes longer than reading it.

    Raises:
        InvalidInputError: the URL is not an AMQP URL.
        OpsError: the broker cannot be reached, or has no dead-letter queue.
    """
    with (
        connected(broker_url) as connection,
        dead_letter_queue(connection) as queue,
        progress_bars() as bars,
    ):
        if queue.readers:
            print(
                "note: another program is reading dead letters; those it holds are missing here",
                file=sys.stderr,
            )
        reading = bars.add_task("Reading", total=queue.count)
        queue.on_arrival = lambda: bars.advance(reading)
        letters = queue.letters()
        yield track(letters, bars, label, queue.count) if label else letters
