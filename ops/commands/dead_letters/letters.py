"""The dead letters of a broker, with progress bars."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ops import options
from ops.broker import connected
from ops.dead_letters.queue import dead_letter_queue

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ops.dead_letters.queue import Taken


@contextmanager
def letters_of(broker_url: str, doing: str = "") -> Iterator[Iterable[Taken]]:
    """Give the letters that are there now, the oldest first; what is not removed stays.

    Args:
        broker_url: of the broker.
        doing: what is done to each letter, if that takes longer than reading it.

    Raises:
        InvalidInputError: the URL is no AMQP URL.
        OpsError: the broker is away, or has no dead-letter queue.
    """
    with (
        connected(broker_url) as connection,
        dead_letter_queue(connection) as queue,
        options.progress() as bars,
    ):
        if queue.readers:
            print("note: somebody else reads dead letters now; theirs are missing", file=sys.stderr)
        reading = bars.add_task("Reading", total=queue.count)
        queue.arrived = lambda: bars.advance(reading)
        letters = queue.letters()
        yield options.tracked(letters, bars, doing, queue.count) if doing else letters
