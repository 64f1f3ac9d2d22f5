"""The routes of the WebSocket API: $connect, $disconnect, and $default for clients' messages."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from realtime.connection_client import GoneError
from realtime.frame_limit import MAX_FRAMES, WINDOW, FrameLimit
from realtime.handshake import PendingConnection
from scheduler.observability.logger import service_logger
from scheduler.realtime.protocol import InvalidSinceError, Since

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from realtime.connection_client import ConnectionClient
    from realtime.replay import Replay
    from scheduler.realtime.connections import Connections
    from scheduler.realtime.tickets import Tickets

MIN_REPLAY_INTERVAL: Final = timedelta(seconds=10)
"""Between two replays on one connection: each may take a hundred frames."""

_logger: Final = service_logger()


class WebSocketRoutes:
    """The routes' handlers.

    Args:
        tickets: the table of tickets.
        connections: the table of connections.
        replay: sends missed notifications.
        client: sends frames.
        invoke_later: continues with a connection after this invocation.
        clock: returns the current time.
    """

    def __init__(
        self,
        tickets: Tickets,
        connections: Connections,
        replay: Replay,
        client: ConnectionClient,
        invoke_later: Callable[[PendingConnection], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._tickets = tickets
        self._connections = connections
        self._replay = replay
        self._client = client
        self._invoke_later = invoke_later
        self._clock = clock
        self._limit = FrameLimit()

    def handle(self, event: dict[str, Any]) -> dict[str, int]:
        """Return the response to an event of the WebSocket API."""
        context = event["requestContext"]
        connection_id = context["connectionId"]
        match context["routeKey"]:
            case "$connect":
                status = self._connect(connection_id, event.get("queryStringParameters") or {})
            case "$disconnect":
                status = self._disconnect(connection_id)
            case _:
                status = self._default(connection_id, event.get("body") or "")
        return {"statusCode": status.value}

    def _connect(self, connection_id: str, query: dict[str, str]) -> HTTPStatus:
        now = self._clock()
        try:
            since = Since.parse(query["since"]) if query.get("since") else None
        except InvalidSinceError as error:  # the ticket stays valid
            return _refused(connection_id, HTTPStatus.BAD_REQUEST, f"since: {error}")
        ticket = self._tickets.redeem(query.get("ticket", ""), now)
        if ticket is None:
            return _refused(connection_id, HTTPStatus.UNAUTHORIZED, "no valid ticket")
        if self._replay.is_deleted(ticket.user_id):
            return _refused(connection_id, HTTPStatus.UNAUTHORIZED, "the user was deleted")
        if not self._connections.add(connection_id, ticket.user_id, now):
            return _refused(connection_id, HTTPStatus.TOO_MANY_REQUESTS, "too many connections")
        since = since or Since.exactly(ticket.issued_at)
        self._invoke_later(PendingConnection(connection_id=connection_id, since=since))
        extra = {"connection_id": connection_id, "user_id": ticket.user_id}
        _logger.info("Connected", extra=extra)
        return HTTPStatus.OK

    def _disconnect(self, connection_id: str) -> HTTPStatus:
        self._connections.remove(connection_id)
        self._limit.forget(connection_id)
        _logger.info("Disconnected", extra={"connection_id": connection_id})
        return HTTPStatus.OK

    def _default(self, connection_id: str, body: str) -> HTTPStatus:
        """Replay if the message has ``since``; any other message only keeps the connection open."""
        now = self._clock()
        frames = self._limit.count(connection_id, now)
        if frames > MAX_FRAMES:
            if frames == MAX_FRAMES + 1:  # later ones were on their way when it was closed
                self._close(connection_id)
            return HTTPStatus.TOO_MANY_REQUESTS
        try:
            since = _since(body)
        except InvalidSinceError as error:
            self._send_error(connection_id, "invalid_since", str(error))
            return HTTPStatus.BAD_REQUEST
        if since is None:
            return HTTPStatus.OK
        if not self._may_replay(connection_id, now):
            text = f"ask at most every {MIN_REPLAY_INTERVAL.seconds} seconds"
            self._send_error(connection_id, "too_often", text)
            return HTTPStatus.TOO_MANY_REQUESTS
        self._replay.run(connection_id, since)
        return HTTPStatus.OK

    def _may_replay(self, connection_id: str, now: datetime) -> bool:
        if self._limit.replayed_within(MIN_REPLAY_INTERVAL, connection_id, now):
            return False  # without asking DynamoDB
        if not self._connections.allow_replay(connection_id, now, MIN_REPLAY_INTERVAL):
            return False
        self._limit.note_replay(connection_id, now)
        return True

    def _close(self, connection_id: str) -> None:
        """Close a connection that sends too much."""
        text = f"at most {MAX_FRAMES} messages in {WINDOW.seconds} seconds"
        self._send_error(connection_id, "too_many_messages", text)
        self._client.close(connection_id)
        self._connections.remove(connection_id)
        _logger.warning("Closed a connection", extra={"connection_id": connection_id, "why": text})

    def _send_error(self, connection_id: str, code: str, message: str) -> None:
        error = {"error": {"code": code, "message": message}}
        try:
            self._client.post(connection_id, json.dumps(error).encode())
        except GoneError:
            self._connections.remove(connection_id)


def _since(body: str) -> Since | None:
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        return None
    since = message.get("since") if isinstance(message, dict) else None
    return Since.parse(str(since)) if since is not None else None


def _refused(connection_id: str, status: HTTPStatus, reason: str) -> HTTPStatus:
    extra = {"connection_id": connection_id, "reason": reason}
    _logger.warning("Refused a connection", extra=extra)
    return status
