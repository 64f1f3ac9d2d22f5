"""Brings a client what it missed, without a gap before what comes live.

A notification that is committed before the connection is shown is found by the second look at
the inbox, which comes after that; one committed later meets a connection that is shown. What both
find is sent twice, and its id tells. What the first look finds is sent before anything live.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from realtime.channel import GoneError
from realtime.inbox import missed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from realtime.channel import Channel
    from scheduler.database.connection import Database
    from scheduler.realtime.connections import Connections
    from scheduler.realtime.protocol import Since

_HANDSHAKE: Final = 3.0
"""Seconds for a handshake to end after $connect has. One that its client broke off never does, and
occupies an execution environment meanwhile, of which there are few."""
_INDEX: Final = 10.0
"""Seconds for an index to follow its table."""
_POLL: Final = 0.02

_logger: Final = Logger()


class CatchUp:
    """The replay. Uses its database alone, from one thread at a time."""

    def __init__(self, database: Database, connections: Connections, channel: Channel) -> None:
        self._database = database
        self._connections = connections
        self._channel = channel

    def opening(self, connection_id: str, since: Since) -> None:
        """Wait until a connection is open, then serve it; one that never opens is left alone."""
        if _comes_true(lambda: self._channel.is_open(connection_id), _HANDSHAKE):
            self.serve(connection_id, since)
        else:
            _logger.info("Connection did not open", extra={"connection_id": connection_id})

    def serve(self, connection_id: str, since: Since) -> None:
        """Repeat what an open connection missed, and let it receive what is to come.

        Raises:
            scheduler.database.connection.DatabaseUnavailableError: the database is away.
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB or API Gateway is.
        """
        owner = self._connections.owner(connection_id)
        if owner is None:
            return
        try:
            sent = self._repeat(connection_id, owner, since, ())
            if self._connections.activate(connection_id):
                _comes_true(lambda: self._connections.is_active(connection_id, owner), _INDEX)
                sent |= self._repeat(connection_id, owner, since, sent)
        except GoneError:
            self._connections.remove(connection_id)
            return
        extra = {"connection_id": connection_id, "user_id": owner, "repeated": len(sent)}
        _logger.info("Connection is served", extra=extra)

    def _repeat(
        self, connection_id: str, user_id: str, since: Since, known: Collection[str]
    ) -> set[str]:
        with self._database.transaction() as cursor:
            found = [one for one in missed(cursor, user_id, since) if one.id not in known]
        for one in found:
            self._channel.post(connection_id, one.frame)
        return {one.id for one in found}


def _comes_true(condition: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True
