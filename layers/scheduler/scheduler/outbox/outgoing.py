"""Tells other services what was committed: ``device.allocated``, ``device.released``.

At least once, and in order per device: whoever changes who holds a device has locked its row until
the commit, so a device's events get their ids in the order in which they become visible; and they
are published in the order of ids, by one publisher at a time. An event may be repeated, by its id.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from scheduler.messaging.publisher import Outbound
from scheduler.messaging.topology import EVENTS_EXCHANGE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from scheduler.database.connection import Database
    from scheduler.messaging.publisher import Publisher

AT_ONCE: Final = 500

_UNPUBLISHED: Final = """
    SELECT id, routing_key, body, created_at FROM outgoing_events
    WHERE published_at IS NULL ORDER BY id LIMIT %s
"""
_PUBLISHED: Final = """
    UPDATE outgoing_events SET published_at = %s WHERE id IN %s
"""
# Names of locks are shared by all databases of a server, and no longer than 64 characters.
_LOCK: Final = "SELECT GET_LOCK(CONCAT('outgoing-events.', MD5(DATABASE())), 0)"
_UNLOCK: Final = "SELECT RELEASE_LOCK(CONCAT('outgoing-events.', MD5(DATABASE())))"


class OutgoingEvents:
    """The events that wait to be published. Uses its database and publisher alone."""

    def __init__(
        self, database: Database, publisher: Publisher, clock: Callable[[], datetime]
    ) -> None:
        self._database = database
        self._publisher = publisher
        self._clock = clock

    def publish_next(self) -> int:
        """Publish the oldest events, up to 500, and return how many.

        0 says that none is left, or that somebody else is publishing.

        Raises:
            BrokerUnavailableError: the broker is away; the events wait.
            DatabaseUnavailableError: the database is away; what was published is published again.
        """
        if not self._unpublished(limit=1):
            return 0
        with self._alone() as alone:
            rows = self._unpublished(AT_ONCE) if alone else ()
            if rows:
                self._publisher.publish([_outbound(*row) for row in rows])
                self._mark_published([id_ for id_, *_ in rows])
        return len(rows)

    @contextmanager
    def _alone(self) -> Iterator[bool]:
        # The lock ends with its connection. Should that happen while its holder publishes, two may
        # publish the same events, each in order: repeated, but for the first time still in order.
        alone = self._run(_LOCK) == ((1,),)
        try:
            yield alone
        finally:
            if alone:
                self._run(_UNLOCK)

    def _unpublished(self, limit: int) -> Sequence[tuple[Any, ...]]:
        return self._run(_UNPUBLISHED, limit)

    def _mark_published(self, ids: Sequence[int]) -> None:
        self._run(_PUBLISHED, self._clock(), tuple(ids))

    def _run(self, statement: str, *parameters: object) -> Sequence[tuple[Any, ...]]:
        with self._database.transaction() as cursor:
            cursor.execute(statement, parameters)
            return cursor.fetchall()


def _outbound(id_: int, routing_key: str, body: str, created_at: datetime) -> Outbound:
    properties = {
        "message_id": str(id_),
        "content_type": "application/json",
        "type": routing_key,
        "timestamp": int(created_at.timestamp()),
    }
    return Outbound(EVENTS_EXCHANGE, routing_key, body.encode(), properties)
