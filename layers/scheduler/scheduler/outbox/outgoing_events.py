"""Publishes events for other services: devices allocated, extended, released.

Each event is published at least once, and the events of a device in order. A transaction that
changes a device's holder keeps the device's row locked until its commit, so the ids of its events
rise in the order of commits; and one publisher at a time publishes in the order of ids. An event
that is published again has the same message id.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from scheduler.database.connection import IDLE_SECONDS
from scheduler.messaging.message import TRACEPARENT_HEADER
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import EVENTS_EXCHANGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from pymysql.cursors import Cursor

    from scheduler.database.connection import Database
    from scheduler.messaging.publisher import Publisher

BATCH_SIZE: Final = 500
"""Maximum number of events in one publish."""

LOCK_IDLE_SECONDS: Final = 60
"""After so long without a statement the publisher loses its lock. A batch takes 50 s at most: two
connections, and three windows of messages, of 10 s each."""

_SELECT_UNPUBLISHED: Final = """
    SELECT id, routing_key, body, created_at, correlation_id, traceparent FROM outgoing_events
    WHERE published_at IS NULL ORDER BY id LIMIT %s
"""
_MARK_PUBLISHED: Final = """
    UPDATE outgoing_events SET published_at = %s WHERE id IN %s
"""
# Lock names are global to a server and have at most 64 characters, hence the hash.
_GET_LOCK: Final = "SELECT GET_LOCK(CONCAT('outgoing-events.', MD5(DATABASE())), 0)"
_RELEASE_LOCK: Final = "SELECT RELEASE_LOCK(CONCAT('outgoing-events.', MD5(DATABASE())))"
_LIMIT_IDLE: Final = "SET SESSION wait_timeout = %s"


class OutgoingEvents:
    """The unpublished events. Not thread-safe; nothing else may use its database and publisher."""

    def __init__(
        self, database: Database, publisher: Publisher, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    def publish_next(self) -> int:
        """Publish the oldest events, up to `BATCH_SIZE`, and return how many.

        Returns 0 if there are none, or while another process publishes.

        Raises:
            BrokerUnavailableError: the events stay unpublished.
            DatabaseUnavailableError: events that were already published are published again.
        """
        if not self._unpublished(limit=1):
            return 0
        with self._publisher_lock() as locked:
            rows = self._unpublished(BATCH_SIZE) if locked else ()
            if rows:
                self._publisher.publish([_outbound(*row) for row in rows])
                self._mark_published([id_ for id_, *_ in rows])
        return len(rows)

    @contextmanager
    def _publisher_lock(self) -> Iterator[bool]:
        # The server releases the lock if its connection ends. If the holder is publishing at that
        # moment, two may publish the same events: repeated, but each first copy is still in order.
        # An environment that vanishes does not end its connection: the server must soon do so.
        locked = self._run(_GET_LOCK) == ((1,),)
        try:
            if locked:
                self._run(_LIMIT_IDLE, LOCK_IDLE_SECONDS)
            yield locked
        finally:
            if locked:
                self._run(_RELEASE_LOCK)
                self._run(_LIMIT_IDLE, IDLE_SECONDS)

    def _unpublished(self, limit: int) -> Sequence[tuple[Any, ...]]:
        return self._run(_SELECT_UNPUBLISHED, limit)

    def _mark_published(self, ids: Sequence[int]) -> None:
        self._run(_MARK_PUBLISHED, self._clock(), tuple(ids))

    def _run(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        def run(cursor: Cursor) -> Sequence[tuple[Any, ...]]:
            cursor.execute(statement, parameters)
            return cursor.fetchall()

        return self._database.run_unless_locked(run)


def _outbound(
    id_: int,
    routing_key: str,
    body: str,
    created_at: datetime,
    correlation_id: str | None,
    traceparent: str | None,
) -> OutboundMessage:
    properties: dict[str, Any] = {
        "message_id": str(id_),
        "content_type": "application/json",
        "type": routing_key,
        "timestamp": int(created_at.timestamp()),
    }
    if correlation_id:
        properties["correlation_id"] = correlation_id
    if traceparent:
        properties["headers"] = {TRACEPARENT_HEADER: traceparent}
    return OutboundMessage(EVENTS_EXCHANGE, routing_key, body.encode(), properties)
