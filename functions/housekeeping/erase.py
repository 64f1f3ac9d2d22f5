"""Finishes the erasure of deleted users: database, payments, WebSocket connections and tickets."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from housekeeping.walking import parts
from scheduler.database import erasures
from scheduler.database.errors import is_outage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from housekeeping.settings import HousekeepingSettings
    from housekeeping.tools import Tools
    from scheduler.observability.emf import Metrics

_AWS_TIMEOUTS: Final[dict[str, Any]] = {
    "connect_timeout": 1,
    "read_timeout": 2,
    "retries": {"mode": "standard", "total_max_attempts": 2},
}
_USERS_PER_RUN: Final = 1000
_LAST_TRACES: Final = timedelta(seconds=90)
"""Everything that was in progress at the deletion has ended by then: a ticket is valid for a
minute, and a request or a payment event may have read the user just before."""


def erase_deleted_users(tools: Tools, metrics: Metrics) -> Iterator[int]:  # noqa: ARG001 - the signature of a job
    """Erase the data of deleted users.

    An erasure is repeated until one began `_LAST_TRACES` after the deletion.
    """
    for part in parts(tools, erasures.USERS):
        tools.database.run(partial(erasures.request_missing, part=part, now=tools.clock()))
    with tools.database.transaction() as cursor:
        pending = erasures.unfinished(cursor, _USERS_PER_RUN)
    if not pending:
        return
    outside = _OutsideDatabase(tools.settings)
    for user_id, requested_at in pending:
        try:
            yield from _erase(tools, outside, user_id, requested_at)
        except Exception as error:
            if is_outage(error):
                raise
            tools.failing.add(user_id, error)


def _erase(
    tools: Tools, outside: _OutsideDatabase, user_id: str, requested_at: datetime
) -> Iterator[int]:
    now = tools.clock()
    yield from erasures.erase(tools.database, user_id)
    outside.erase(user_id, now)
    if requested_at <= now - _LAST_TRACES:
        with tools.database.transaction() as cursor:
            erasures.finish(cursor, user_id, requested_at, now)
    yield 1


class _OutsideDatabase:
    """Erases the payment item and the tickets of users, and closes their connections."""

    def __init__(self, settings: HousekeepingSettings) -> None:
        import boto3  # noqa: PLC0415 - users are deleted rarely
        from botocore.config import Config  # noqa: PLC0415 - comes with boto3

        from scheduler.realtime.connections import Connections  # noqa: PLC0415 - as above
        from scheduler.realtime.tickets import Tickets  # noqa: PLC0415 - as above

        config = Config(**_AWS_TIMEOUTS)
        self._dynamodb = boto3.client("dynamodb", config=config)
        self._payments = settings.payment_failures_table
        self._connections = Connections(self._dynamodb, settings.realtime_connections_table)
        self._tickets = Tickets(self._dynamodb, settings.realtime_tickets_table)
        self._gateway: Any = boto3.client(
            "apigatewaymanagementapi", config=config, endpoint_url=settings.websocket_endpoint
        )

    def erase(self, user_id: str, now: datetime) -> None:
        self._dynamodb.delete_item(TableName=self._payments, Key={"user_id": {"S": user_id}})
        # A connection is open without being active if the function could not activate it.
        known = self._connections.counted(user_id).union(self._connections.of_user(user_id, now))
        for connection_id in known:
            self._close(connection_id)
        for connection_id in self._connections.forget(user_id) - known:  # opened meanwhile
            self._close(connection_id)
        self._tickets.erase(user_id)

    def _close(self, connection_id: str) -> None:
        with suppress(self._gateway.exceptions.GoneException):
            self._gateway.delete_connection(ConnectionId=connection_id)
        self._connections.remove(connection_id)
