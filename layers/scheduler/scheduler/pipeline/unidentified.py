"""Gives ids to messages whose publisher gave none.

Equal bodies do not mean the same event: a user may be suspended, activated and suspended again with
the same text. So every message that the broker delivers for the first time gets an id of its own. A
run *claims* the ids of its messages before it applies them, and notes when it ends. A redelivered
message gets the id of an earlier message with the same content

* whose run did not end: the broker delivers every message of such a run again, in whatever batch;
* whose run ended, if it is redelivered because the acknowledgement was lost: it is next to the same
  message as in that run, or its batch comes again. The broker redelivers a batch in order, so the
  first redelivered message is then the first one of that batch;
* otherwise a new id: the broker delivered the message before, but no run has seen it.

On later receipts – retries, replays – the id is in the headers (`IDENTITY_HEADER`). Without a
database no id can be claimed; the message is parked, and matched on its next receipt. If the run
that parked it dies, the original is redelivered, too; of the two, the second is then recognised by
its batch, or by what it was next to.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta
from itertools import takewhile
from operator import eq
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pymysql

from scheduler.database import unidentified
from scheduler.database.errors import (
    DatabaseUnavailableError,
    is_conflict_without_wait,
    text_of,
)
from scheduler.database.unidentified import GivenId
from scheduler.messaging.message import (
    IDENTITY_HEADER,
    UNCLAIMED_BATCH_HEADER,
    UNKNOWN_IDENTITY,
    given_id,
)
from scheduler.messaging.record import Undecodable
from scheduler.pipeline.outcome import Outcome, Verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from scheduler.database.connection import Database
    from scheduler.database.cursor import BulkCursor
    from scheduler.ids import NewId
    from scheduler.messaging.message import Message
    from scheduler.messaging.validate import Parsed
    from scheduler.pipeline.earlier_ids import EarlierIds
    from scheduler.pipeline.isolation import Isolation
    from scheduler.pipeline.neighbours import Neighbours, NeighboursOfBatch

_CLAIMED_SINCE: Final = timedelta(days=1)
"""How long a message may take to come back after a run that did not end."""
_UNKNOWN_SINCE: Final = timedelta(days=7)
"""How long after its runs a dead letter may be replayed; failed payments count for as long."""


class UnidentifiedMessages:
    """Gives ids to the messages of one function."""

    def __init__(self, database: Database, clock: Callable[[], datetime], new_id: NewId) -> None:
        self._database = database
        self._clock = clock
        self._new_id = new_id
        self._batch_key = ""
        self._batch: Sequence[Message] = ()
        self._neighbours: NeighboursOfBatch | None = None
        self._again: set[str] = set()
        self._batches_again: set[str] = set()
        self._returned: dict[str, list[_Rest]] = {}
        self._claimed: dict[str, set[str]] = defaultdict(set)

    def start(self) -> None:
        """Start an invocation: forget what one that failed has claimed, of any queue."""
        self._claimed.clear()

    def begin(self, queue: str, records: Iterable[Message | Undecodable]) -> None:
        """Start a batch, of which `identify` gets the parts."""
        messages = [record for record in records if not isinstance(record, Undecodable)]
        keys = [one.delivery_key for one in messages]
        again = [one.delivery_key for one in messages if one.redelivered]
        rests = [rest.without(again) for rest in self._returned.get(queue, ())]
        continued = [rest for rest in rests if rest]
        self._batch_key = keys[0] if keys else ""
        self._batch, self._neighbours, self._again = messages, None, set(again)
        unique = (one.delivery_key for one in messages if one.redelivered and one.message_id)
        self._batches_again = {*again[:1], *unique, *(rest.batch_key for rest in continued)}
        self._returned[queue] = [*continued, _Rest(self._batch_key, keys)]

    def identify(
        self, queue: str, batch: Sequence[Parsed], isolation: Isolation
    ) -> tuple[list[Parsed], list[Outcome]]:
        """Return the batch with an id for each message, and what could not be given one, parked.

        The isolation waits for the database, as it does when the batch is applied. Costs nothing if
        every message has an id; otherwise one write, and one read if messages may have ids.
        """
        unnamed = [parsed for parsed in batch if not parsed.identity.id]
        if not unnamed:
            return list(batch), []
        received = [(parsed, self._neighbours_of(parsed.message)) for parsed in unnamed]
        try:
            ids = isolation.persist(
                lambda: self._database.run(
                    lambda cursor: self._claim(cursor, queue, received), is_conflict_without_wait
                )
            )
        except (DatabaseUnavailableError, pymysql.MySQLError) as error:
            why = f"parked: no id could be stored: {text_of(error)}"
            parked = [self._parked(parsed, neighbours, why) for parsed, neighbours in received]
            return [parsed for parsed in batch if parsed.identity.id], parked
        self._claimed[queue].update(ids)
        given = iter(ids)
        return [one if one.identity.id else _with_id(one, next(given)) for one in batch], []

    def unclaimed(self, message: Message) -> Message:
        """Return a message that is published without having been given an id, for its next receipt.

        It is delivered from there as if for the first time, so it says whether it was redelivered,
        and where it was.
        """
        return self._unclaimed(message, self._neighbours_of(message))

    def _unclaimed(self, message: Message, neighbours: Neighbours) -> Message:
        if message.message_id or IDENTITY_HEADER in message.headers:
            return message
        known: dict[str, Any] = {UNCLAIMED_BATCH_HEADER: " ".join((self._batch_key, *neighbours))}
        if message.redelivered:
            known[IDENTITY_HEADER] = UNKNOWN_IDENTITY
        headers = {**known, **message.headers}
        return message._replace(properties={**message.properties, "headers": headers})

    def _neighbours_of(self, message: Message) -> Neighbours:
        """Return what is next to a message, or was next to it when it was parked without an id."""
        from scheduler.pipeline.neighbours import (  # noqa: PLC0415 - a cold start need not have it
            Neighbours,
            NeighboursOfBatch,
        )

        if message.unclaimed_batch:
            return Neighbours(*message.unclaimed_neighbours)
        if self._neighbours is None:
            self._neighbours = NeighboursOfBatch(self._batch)
        return self._neighbours.take(message)

    def end(self) -> None:
        """Note that the run ends: nothing may fail after this.

        Raises:
            DatabaseUnavailableError, pymysql.MySQLError: the note cannot be stored. The batch must
                be delivered again, as every batch without such a note: otherwise an equal message
                would be taken for one of this run, and lost.
        """
        if any(self._claimed.values()):
            self._database.run(self._note_end, is_conflict_without_wait)

    def _note_end(self, cursor: BulkCursor) -> None:
        for queue, ids in self._claimed.items():
            if ids:
                unidentified.end(cursor, queue, ids)

    def _claim(
        self, cursor: BulkCursor, queue: str, received: Sequence[tuple[Parsed, Neighbours]]
    ) -> list[str]:
        now = self._clock()
        again = [parsed for parsed, _ in received if _may_have_id(parsed.message)]
        earlier_ids = self._earlier_ids(cursor, queue, again, now) if again else None
        claims = []
        for parsed, neighbours in received:
            came_before, parked_in = None, parsed.message.unclaimed_batch
            if earlier_ids and _may_have_id(parsed.message):
                there = neighbours if parked_in else neighbours.among(self._again)
                came_before = earlier_ids.take(parsed, there)
            claim = (came_before or self._new(parsed, now))._replace(**neighbours._asdict())
            claims.append(
                claim._replace(claimed_at=now, batch_key=self._batch_key, parked_batch=parked_in)
            )
        unidentified.claim(cursor, queue, claims)
        return [one.message_id for one in claims]

    def _earlier_ids(
        self, cursor: BulkCursor, queue: str, again: Sequence[Parsed], now: datetime
    ) -> EarlierIds:
        """Return the ids of these contents, except those that this run has claimed already."""
        from scheduler.pipeline.earlier_ids import (  # noqa: PLC0415 - a cold start need not have it
            ENDED_SINCE,
            EarlierIds,
        )

        first = min(one.received_at for one in again)
        unknown = any(one.message.has_unknown_id for one in again)
        since = min(now - (_UNKNOWN_SINCE if unknown else _CLAIMED_SINCE), first - ENDED_SINCE)
        ended_since = min(now, first) - ENDED_SINCE
        contents = {one.identity.sha256 for one in again}
        claimed = self._claimed[queue]
        seen = [
            one
            for one in unidentified.seen(cursor, queue, contents, since, ended_since)
            if one.message_id not in claimed
        ]
        return EarlierIds(seen, self._batches_again, now)

    def _new(self, parsed: Parsed, now: datetime) -> GivenId:
        sha256, message = parsed.identity.sha256, parsed.message
        id_ = given_id(sha256, self._new_id())
        seen_late = message.redelivered and not message.unclaimed_batch
        received_at = parsed.received_at
        return GivenId(id_, sha256, received_at, seen_late, now, "", "", "", "", run_ended=False)

    def _parked(self, parsed: Parsed, neighbours: Neighbours, why: str) -> Outcome:
        parsed = parsed._replace(message=self._unclaimed(parsed.message, neighbours))
        return Outcome(parsed.message, Verdict.PARKED, parsed, why)


class _Rest(NamedTuple):
    """The delivery keys of a batch that may be redelivered, in order; perhaps in parts."""

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


def _may_have_id(message: Message) -> bool:
    """Return whether a message may have been given an id at an earlier receipt."""
    return message.redelivered or message.has_unknown_id or bool(message.unclaimed_batch)


def _with_id(parsed: Parsed, id_: str) -> Parsed:
    return parsed._replace(identity=parsed.identity._replace(id=id_))
