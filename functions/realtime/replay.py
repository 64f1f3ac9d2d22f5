"""Replays to a client the notifications it missed, without a gap before live frames.

The unread notifications are read twice: before the connection is activated, and again after it. A
notification that is committed before the activation is found by the second read; one that is
committed later is sent live, because its dispatcher finds the active connection. If both happen,
the client receives it twice and recognises its id. What the first read finds is sent before any
live frame.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from realtime.connection_client import GoneError
from scheduler.database import users
from scheduler.observability.logger import service_logger
from scheduler.realtime.protocol import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    from pymysql.cursors import Cursor

    from realtime.connection_client import ConnectionClient
    from scheduler.database.connection import Database
    from scheduler.realtime.connections import Connections
    from scheduler.realtime.protocol import Since

MAX_REPLAYED: Final = 100
"""The newest notifications that are replayed; a client that gets so many asks the API for more."""

_HANDSHAKE_SECONDS: Final = 3.0
"""How long to wait for a handshake after ``$connect``. A handshake that the client broke off never
completes, and the wait occupies an execution environment, of which there are few."""
_INDEX_SECONDS: Final = 10.0
"""How long to wait for DynamoDB's index to follow its table."""
_POLL_SECONDS: Final = 0.02

# Only notifications with a WebSocket delivery: users may switch the channel off for a type. Without
# STRAIGHT_JOIN, MariaDB might start with the recent deliveries of all users.
_SELECT_MISSED: Final = """
    SELECT n.id, n.type, n.title, n.message, n.data, n.created_at
    FROM notifications n
    STRAIGHT_JOIN notification_deliveries d ON d.notification_id = n.id AND d.channel = 'websocket'
    WHERE n.user_id = %s AND n.id >= %s AND n.read_at IS NULL
    ORDER BY n.id DESC LIMIT %s
"""

_logger: Final = service_logger()


class Replay:
    """Replays missed notifications. Not thread-safe; nothing else may use its database."""

    def __init__(
        self, database: Database, connections: Connections, client: ConnectionClient
    ) -> None:
        self._database = database
        self._connections = connections
        self._client = client

    def is_deleted(self, user_id: str) -> bool:
        """Return whether a user was deleted.

        Raises:
            scheduler.database.errors.DatabaseUnavailableError: the database is unavailable.
        """
        with self._database.transaction() as cursor:
            return users.is_deleted(cursor, user_id)

    def after_handshake(self, connection_id: str, since: Since) -> None:
        """Wait until the handshake is complete, then run; give up if it is never completed."""
        if _wait_until(lambda: self._client.is_open(connection_id), _HANDSHAKE_SECONDS):
            self.run(connection_id, since)
        else:
            _logger.info("Connection did not open", extra={"connection_id": connection_id})

    def run(self, connection_id: str, since: Since) -> None:
        """Replay to an open connection and activate it, so that it receives live frames.

        Raises:
            scheduler.database.errors.DatabaseUnavailableError: the database is unavailable.
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB or API Gateway is unavailable.
        """
        user_id = self._connections.owner(connection_id)
        if user_id is None:
            return
        try:
            sent = self._send_missed(connection_id, user_id, since, ())
            if self._connections.activate(connection_id):
                _wait_until(
                    lambda: self._connections.is_active(connection_id, user_id), _INDEX_SECONDS
                )
                sent |= self._send_missed(connection_id, user_id, since, sent)
        except GoneError:
            self._connections.remove(connection_id)
            return
        extra = {"connection_id": connection_id, "user_id": user_id, "repeated": len(sent)}
        _logger.info("Connection is active", extra=extra)

    def _send_missed(
        self, connection_id: str, user_id: str, since: Since, sent: Collection[str]
    ) -> set[str]:
        with self._database.transaction() as cursor:
            missed = [one for one in find_missed(cursor, user_id, since) if one.id not in sent]
        for one in missed:
            self._client.post(connection_id, one.frame)
        return {one.id for one in missed}


class MissedNotification(NamedTuple):
    """A notification and its frame."""

    id: str
    frame: bytes


def find_missed(cursor: Cursor, user_id: str, since: Since) -> list[MissedNotification]:
    """Return the newest `MAX_REPLAYED` unread notifications since a position, oldest first."""
    cursor.execute(_SELECT_MISSED, (user_id, since.first, MAX_REPLAYED))
    rows = [row for row in cursor.fetchall() if row[0] != since.seen]
    return [_missed(*row) for row in reversed(rows)]


def _missed(
    id_: str, type_: str, title: str, message: str, data: str, created_at: datetime
) -> MissedNotification:
    text = frame(
        id_=id_, type_=type_, title=title, message=message, data=data, created_at=created_at
    )
    return MissedNotification(id_, text)


def _wait_until(condition: Callable[[], bool], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
