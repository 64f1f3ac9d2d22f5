"""Finds messages that kill their consumer, which no exception handler can.

A function that runs out of memory or time loses its whole batch, and the broker delivers the batch
again. So redelivered messages are noted in the database before they are processed:

* the first redelivery runs with its batch: most crashes have other causes and must stay cheap;
* at the second, the message is a suspect: it runs alone, after the rest was committed. It is noted
  when its turn comes, so that a suspect that kills the function leaves no note on those behind it;
* at the third (the fourth delivery), it becomes a dead letter without being processed.

This does not depend on how the broker counts deliveries, but on the flag ``redelivered``. Only a
batch that fails shows whether the flag arrives, so `scheduler-ops smoke` has a canary fail its
batch once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TypeVar

import pymysql

from scheduler.database import redelivery_notes
from scheduler.database.errors import DatabaseUnavailableError, is_conflict_without_wait
from scheduler.domain.model import is_canary
from scheduler.messaging.message import FAIL_UNTIL_HEADER, to_milliseconds
from scheduler.messaging.record import Undecodable
from scheduler.messaging.topology import SHARD_KEY_HEADER, WORK_QUEUE_BY_NAME
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.messaging.message import Message

T = TypeVar("T")

NOT_REDELIVERED: Final = "a failed batch was delivered again without redelivered: true"
MAX_FAILING: Final = timedelta(seconds=30)
"""How far ahead `FAIL_UNTIL_HEADER` may be: if the flag never arrives, the queue is blocked no
longer than this."""

_NOTES_OF_KILLER: Final = 2
KILLED: Final = "killed its consumer"

logger: Final = service_logger()


@dataclass(slots=True)
class BatchBySuspicion:
    """The messages of a batch by how they are processed: together, alone, or not at all."""

    ordinary: list[Message | Undecodable] = field(default_factory=list)
    suspects: list[Message] = field(default_factory=list)
    killers: list[Message] = field(default_factory=list)


class Redeliveries:
    """The notes on redelivered messages of one function.

    If notes cannot be read or written, because the database is unavailable or their table is
    locked by DDL, messages are processed as if they had none. A locked table is not accessed until
    the next batch, since each statement would wait for the lock.
    """

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock
        self._available = True

    def split(self, queue: str, records: Sequence[Message | Undecodable]) -> BatchBySuspicion:
        """Split a batch by suspicion, and note the redelivered messages that run together."""
        self._available = True
        attempts = self._attempts(queue, redelivered(records))
        batch = BatchBySuspicion()
        for record in records:
            if isinstance(record, Undecodable) or record.delivery_key not in attempts:
                batch.ordinary.append(record)
            elif attempts[record.delivery_key] < _NOTES_OF_KILLER:
                batch.suspects.append(record)
            else:
                batch.killers.append(record)
        self.note(queue, redelivered(batch.ordinary))
        return batch

    def note(self, queue: str, keys: set[str]) -> None:
        """Note an attempt that begins now."""
        now = self._clock()
        self._try(queue, keys, lambda cursor: redelivery_notes.note(cursor, queue, keys, now))

    def noted(self, records: Sequence[Message | Undecodable]) -> set[str]:
        """Return the keys of messages whose notes can be deleted."""
        return redelivered(records) if self._available else set()

    def forget(self, queue: str, keys: set[str]) -> None:
        """Delete the notes on messages that are settled."""
        self._try(queue, keys, lambda cursor: redelivery_notes.forget(cursor, queue, keys))

    def _attempts(self, queue: str, keys: set[str]) -> dict[str, int]:
        found = self._try(
            queue, keys, lambda cursor: redelivery_notes.attempts(cursor, queue, keys)
        )
        return found or {}

    def _try(self, queue: str, keys: set[str], action: Callable[[Cursor], T]) -> T | None:
        # Messages of other queues become dead letters unread; such a name may be too long to store.
        if not keys or not self._available or queue not in WORK_QUEUE_BY_NAME:
            return None
        try:
            return self._database.run(action, is_conflict_without_wait)
        except (DatabaseUnavailableError, pymysql.MySQLError) as error:
            self._available = isinstance(error, DatabaseUnavailableError)
            details = {"queue": queue, "error": str(error)}
            logger.warning("Could not read or write notes on redelivered messages", extra=details)
            return None


def redelivered(records: Sequence[Message | Undecodable]) -> set[str]:
    """Return the keys under which redelivered messages are noted."""
    return {
        record.delivery_key
        for record in records
        if not isinstance(record, Undecodable) and record.redelivered
    }


class CanaryFailureError(Exception):
    """A canary makes its batch fail on purpose."""


def fail_once(
    records: Sequence[Message | Undecodable], now: datetime
) -> Sequence[Message | Undecodable]:
    """Fail the batch of a canary's message that asks for it; else return the batch.

    A batch with a redelivered message has shown the flag, and does not fail: otherwise a publisher
    could fail the messages of others again and again, each time with a new message.

    Raises:
        CanaryFailureError: the mapping delivers the batch again.
    """
    if redelivered(records):
        return [one if isinstance(one, Undecodable) else _proven(one) for one in records]
    for record in records:
        if isinstance(record, Undecodable) or not is_unproven(record):
            continue
        if _must_fail(record, now):
            raise CanaryFailureError("a canary fails its batch once; see scheduler-ops smoke")
    return records


def is_unproven(message: Message) -> bool:
    """Return whether a canary's message must fail its batch, and has not been redelivered since."""
    if message.redelivered or FAIL_UNTIL_HEADER not in message.headers:
        return False
    return is_canary(str(message.headers.get(SHARD_KEY_HEADER)))


def _proven(message: Message) -> Message:
    if not is_unproven(message):
        return message
    headers = {key: value for key, value in message.headers.items() if key != FAIL_UNTIL_HEADER}
    return message._replace(properties={**message.properties, "headers": headers})


def _must_fail(message: Message, now: datetime) -> bool:
    until = message.headers[FAIL_UNTIL_HEADER]
    first, last = to_milliseconds(now), to_milliseconds(now + MAX_FAILING)
    return isinstance(until, int) and first < until <= last
