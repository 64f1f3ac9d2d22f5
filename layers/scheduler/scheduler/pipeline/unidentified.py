"""Gives ids to messages whose publisher gave none.

Equal bodies do not mean the same event: a user may be suspended, activated and suspended again in
the same words. So every message that the broker delivers for the first time gets an id of its
own, which is stored before the message is applied. A redelivered message is matched with the ids
that its content was given:

* one that is not applied yet belongs to a run that died before its commit;
* one that was applied recently belongs to a run that died, or whose acknowledgement was lost,
  after its commit: the message is a duplicate;
* otherwise the broker delivered the message before, but no run has seen it: it gets a new id.

On later receipts – retries, replays – the id is in the headers (`IDENTITY_HEADER`). A message that
killed its consumer is dead-lettered unread; when it is replayed, it is matched with the ids that
are not applied. A redelivered message that is parked before it gets an id, because the database is
unavailable, is still treated as redelivered when it comes back.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pymysql

from scheduler.database import unidentified
from scheduler.database.errors import (
    DatabaseUnavailableError,
    StaleSnapshotError,
    is_conflict_without_wait,
)
from scheduler.messaging.message import given_id
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from scheduler.database.connection import Database
    from scheduler.database.cursor import BulkCursor
    from scheduler.ids import NewId
    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed

_UNAPPLIED_SINCE: Final = timedelta(days=1)
"""How long a message may take to come back after a run that died before its commit."""
_APPLIED_SINCE: Final = timedelta(hours=1)
"""How long one may take after a commit: the broker redelivers as soon as the consumer is gone."""
_KILLED_SINCE: Final = timedelta(days=7)
"""How long after its last run a killer may be replayed; failed payments count for as long."""


class UnidentifiedMessages:
    """Gives ids to the messages of one function."""

    def __init__(self, database: Database, clock: Callable[[], datetime], new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id

    def identify(self, queue: str, batch: Sequence[Parsed]) -> tuple[list[Parsed], list[Outcome]]:
        """Return the batch with an id for each message, and what could not be given one, parked.

        Costs nothing if every message has an id; otherwise one write, and one read if messages
        are redelivered.
        """
        unnamed = [parsed for parsed in batch if not parsed.identity.id]
        if not unnamed:
            return list(batch), []
        try:
            ids = self._database.run(
                lambda cursor: self._give(cursor, queue, unnamed), is_conflict_without_wait
            )
        except (DatabaseUnavailableError, StaleSnapshotError, pymysql.MySQLError) as error:
            why = f"parked: no id could be stored: {error}"
            parked = [Outcome(one.message, Verdict.PARKED, one, why) for one in unnamed]
            return [parsed for parsed in batch if parsed.identity.id], parked
        given = iter(ids)
        return [one if one.identity.id else _with_id(one, next(given)) for one in batch], []

    def _give(self, cursor: BulkCursor, queue: str, unnamed: Sequence[Parsed]) -> list[str]:
        now = self._clock()
        ids_before = _IdsBefore(cursor, queue, unnamed, now)
        ids, new = [], []
        for parsed in unnamed:
            sha256 = parsed.identity.sha256
            if known := ids_before.take(parsed):
                ids.append(known)
            else:
                ids.append(given_id(sha256, self._new_id()))
                new.append((ids[-1], sha256))
        if new:
            unidentified.add(cursor, queue, new, now)
        return ids


class _IdsBefore:
    """The ids that the contents of a batch were given before, oldest first."""

    def __init__(
        self, cursor: BulkCursor, queue: str, batch: Sequence[Parsed], now: datetime
    ) -> None:
        self._unapplied: dict[bytes, list[str]] = defaultdict(list)
        self._applied: dict[bytes, list[str]] = defaultdict(list)
        again = {p.identity.sha256 for p in batch if _may_have_id(p.message)}
        killed = any(p.message.is_replayed_killer for p in batch)
        # Since before the outage in which a redelivered message was parked.
        redelivered_at = min(
            (p.received_at for p in batch if p.message.was_parked_redelivered), default=now
        )
        since = redelivered_at - _UNAPPLIED_SINCE
        since = min(since, now - _KILLED_SINCE) if killed else since
        for one in unidentified.seen(cursor, queue, again, since) if again else ():
            if one.processed_at is None:
                self._unapplied[one.content_sha256].append(one.message_id)
            elif one.processed_at >= redelivered_at - _APPLIED_SINCE:
                self._applied[one.content_sha256].append(one.message_id)

    def take(self, parsed: Parsed) -> str | None:
        """Return the id that a message probably has, for no other message; None if it is new."""
        sha256, message = parsed.identity.sha256, parsed.message
        if _may_have_id(message) and self._unapplied[sha256]:
            return self._unapplied[sha256].pop(0)
        if _is_redelivered(message) and self._applied[sha256]:
            return self._applied[sha256].pop(0)
        return None


def _may_have_id(message: Message) -> bool:
    return _is_redelivered(message) or message.is_replayed_killer


def _is_redelivered(message: Message) -> bool:
    return message.redelivered or message.was_parked_redelivered


def _with_id(parsed: Parsed, id_: str) -> Parsed:
    return parsed._replace(identity=parsed.identity._replace(id=id_))
