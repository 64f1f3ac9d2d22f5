"""The dead letters of a broker, with a progress bar while they are read."""

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
def letters_of(broker_url: str, doing: str) -> Iterator[Iterable[Taken]]:
    """Give the letters that are there now, the oldest first; what is not removed stays.

    Raises:
        InvalidInputError: the URL is no AMQP URL.
        OpsError: the broker is away, or has no dead-letter queue.
    """
    with (
        connected(broker_url) as connection,
        dead_letter_queue(connection) as queue,
        options.progress(queue.letters(), doing, queue.count) as letters,
    ):
        if queue.readers:
            print("note: somebody else reads dead letters now; theirs are missing", file=sys.stderr)
        yield letters
