"""Gives ids to messages whose publisher gave none.

Equal bodies do not mean the same event: a user may be suspended, activated and suspended again in
the same words. So every message that the broker delivers for the first time gets an id of its
own, which is stored before the message is applied. A redelivered message is matched with the ids
that its content was given:

* one that is not applied yet belongs to a run that died before its commit;
* one that was applied belongs to a run that died, or whose acknowledgement was lost, after its
  commit, if its batch is delivered again: the message is a duplicate. The broker redelivers a batch
  whole and in order, so the first redelivered message is the first one of that batch;
* otherwise the broker delivered the message before, but no run has seen it: it gets a new id.

On later receipts – retries, replays – the id is in the headers (`IDENTITY_HEADER`). A redelivered
message that is parked for lack of a database, or is dead-lettered unread because it killed its
consumer, is matched on its next receipt, as of then.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Final, NamedTuple

import pymysql

from scheduler.database import unidentified
from scheduler.database.errors import (
    DatabaseUnavailableError,
    StaleSnapshotError,
    is_conflict_without_wait,
)
from scheduler.messaging.message import given_id
from scheduler.messaging.record import Undecodable
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence
    from datetime import datetime

    from scheduler.database.connection import Database
    from scheduler.database.cursor import BulkCursor
    from scheduler.database.unidentified import SeenMessage
    from scheduler.ids import NewId
    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed

_UNAPPLIED_SINCE: Final = timedelta(days=1)
"""How long a message may take to come back after a run that died before its commit."""
_APPLIED_SINCE: Final = timedelta(hours=1)
"""How long one may take after a commit: the broker redelivers as soon as the consumer is gone."""
_UNKNOWN_SINCE: Final = timedelta(days=7)
"""How long after its runs a dead letter may be replayed; failed payments count for as long."""


class UnidentifiedMessages:
    """Gives ids to the messages of one function."""

    def __init__(self, database: Database, clock: Callable[[], datetime], new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._batch_key = ""
        self._batches_again: set[str] = set()
        self._returned: dict[str, list[_Rest]] = {}

    def begin(self, queue: str, records: Iterable[Message | Undecodable]) -> None:
        """Start an invocation's batch, of which `identify` gets the parts."""
        messages = [record for record in records if not isinstance(record, Undecodable)]
        keys = [one.delivery_key for one in messages]
        again = [one.delivery_key for one in messages if one.redelivered]
        rests = [rest.without(again) for rest in self._returned.get(queue, ())]
        continued = [rest for rest in rests if rest]
        self._batch_key = keys[0] if keys else ""
        self._batches_again = {*again[:1], *(rest.batch_key for rest in continued)}
        self._returned[queue] = [*continued, _Rest(self._batch_key, keys)]

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
        ids_before = _IdsBefore(cursor, queue, unnamed, self._batches_again, now)
        ids, to_apply = [], []
        for parsed in unnamed:
            sha256 = parsed.identity.sha256
            known = ids_before.take(parsed)
            ids.append(known.message_id if known else given_id(sha256, self._new_id()))
            if known is None or known.processed_at is None:
                to_apply.append((ids[-1], sha256))
        if to_apply:
            unidentified.store(cursor, queue, to_apply, self._batch_key, now)
        return ids


class _Rest(NamedTuple):
    """The delivery keys of a batch that may come again, in order; it may come in several parts."""

    batch_key: str
    keys: Sequence[str]

    def without(self, redelivered: Sequence[str]) -> _Rest | None:
        """Return what comes after these messages; None if they are not of the batch.

        The messages before the first of them are acknowledged.
        """
        if not redelivered or redelivered[0] not in self.keys:
            return None
        rest = self.keys[self.keys.index(redelivered[0]) :]
        common = sum(1 for _ in takewhile(bool, map(eq, rest, redelivered)))
        return self._replace(keys=rest[common:])


class _IdsBefore:
    """The ids that the contents of a batch were given before, oldest first."""

    def __init__(
        self,
        cursor: BulkCursor,
        queue: str,
        batch: Sequence[Parsed],
        batches_again: Collection[str],
        now: datetime,
    ) -> None:
        self._unapplied: dict[bytes, list[SeenMessage]] = defaultdict(list)
        self._applied: dict[bytes, list[SeenMessage]] = defaultdict(list)
        self._batches_again = batches_again
        self._now = now
        again = {p.identity.sha256 for p in batch if _may_have_id(p.message)}
        unknown = any(p.message.has_unknown_id for p in batch)
        since = now - (_UNKNOWN_SINCE if unknown else _UNAPPLIED_SINCE)
        for one in unidentified.seen(cursor, queue, again, since) if again else ():
            found = self._applied if one.processed_at else self._unapplied
            found[one.content_sha256].append(one)

    def take(self, parsed: Parsed) -> SeenMessage | None:
        """Return what a message probably is, for no other message; None if it is new."""
        sha256, message = parsed.identity.sha256, parsed.message
        if not _may_have_id(message):
            return None
        if self._unapplied[sha256]:
            return self._unapplied[sha256].pop(0)
        applied = self._applied[sha256]
        if found := next((one for one in applied if self._is_same(one, parsed)), None):
            applied.remove(found)
            return found
        return None

    def _is_same(self, applied: SeenMessage, parsed: Parsed) -> bool:
        unknown = parsed.message.has_unknown_id
        delivered_at = parsed.received_at if unknown else self._now
        recent = (
            applied.processed_at is not None
            and delivered_at - _APPLIED_SINCE <= applied.processed_at <= delivered_at
        )
        return recent and (unknown or applied.batch_key in self._batches_again)


def _may_have_id(message: Message) -> bool:
    return message.redelivered or message.has_unknown_id


def _with_id(parsed: Parsed, id_: str) -> Parsed:
    return parsed._replace(identity=parsed.identity._replace(id=id_))
