"""Finds the message that kills its consumer, which no exception handler can.

A redelivered message is noted before it is worked on:

* the first redelivery runs in the batch (most crashes are nobody's fault and must stay cheap);
* at the second it is a suspect: it runs alone, after the rest was committed, noted at its turn
  – so that a suspect which dies takes no blame to those that wait behind it;
* found once more (its fourth delivery) it is condemned: dead-lettered unprocessed.

This holds whatever the broker's own delivery limit counts.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, TypeVar

import pymysql
from aws_lambda_powertools import Logger

from scheduler.database import redelivery_notes
from scheduler.database.errors import DatabaseUnavailableError, is_conflict_without_wait
from scheduler.messaging.record import Undecodable
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.messaging.message import Message

T = TypeVar("T")

logger: Final = Logger()

_SUSPECT: Final = 1
_CONDEMNED: Final = 2
KILLED: Final = "killed its consumer"


@dataclass(slots=True)
class Sorted:
    """The messages of a batch by how they are to be worked on."""

    ordinary: list[Message | Undecodable] = field(default_factory=list)
    suspects: list[Message] = field(default_factory=list)
    condemned: list[Message] = field(default_factory=list)


class Redeliveries:
    """The notes of one function."""

    def __init__(self, database: Database, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    def sort(self, queue: str, records: Sequence[Message | Undecodable]) -> Sorted:
        """Sort a batch, and note those redelivered messages that run with it."""
        attempts = self._attempts(queue, redelivered(records))
        result = Sorted()
        for record in records:
            count = 0 if isinstance(record, Undecodable) else attempts.get(record.delivery_key, 0)
            if isinstance(record, Undecodable) or count < _SUSPECT:
                result.ordinary.append(record)
            elif count < _CONDEMNED:
                result.suspects.append(record)
            else:
                result.condemned.append(record)
        self.note(queue, redelivered(result.ordinary))
        return result

    def note(self, queue: str, keys: set[str]) -> None:
        """Count an attempt that begins now. Without a database nothing begins anyway."""
        self._quietly(
            queue,
            keys,
            lambda cursor: redelivery_notes.note(cursor, queue, sorted(keys), self._clock()),
        )

    def forget(self, queue: str, keys: set[str]) -> None:
        """Drop the notes of messages that are settled."""
        self._quietly(queue, keys, lambda cursor: redelivery_notes.forget(cursor, queue, keys))

    def _attempts(self, queue: str, keys: set[str]) -> dict[str, int]:
        noted = self._quietly(
            queue, keys, lambda cursor: redelivery_notes.attempts(cursor, queue, keys)
        )
        return noted or {}

    def _quietly(self, queue: str, keys: set[str], action: Callable[[Cursor], T]) -> T | None:
        # What lies in a queue that is not ours is dead-lettered unread, and its name may be any.
        if not keys or queue not in WORK_QUEUE_BY_NAME:
            return None

        try:
            return self._database.run(action, is_conflict_without_wait)
        except (DatabaseUnavailableError, pymysql.MySQLError) as error:
            details = {"queue": queue, "error": str(error)}
            logger.warning("Could not read or write notes of redelivered messages", extra=details)
            return None


def redelivered(records: Sequence[Message | Undecodable]) -> set[str]:
    """Return the keys under which redelivered messages are noted."""
    return {
        record.delivery_key
        for record in records
        if not isinstance(record, Undecodable) and record.redelivered
    }
