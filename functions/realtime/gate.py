"""The routes of the WebSocket API: $connect, $disconnect, and $default for what clients say."""

from __future__ import annotations

import json
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from aws_lambda_powertools import Logger

from realtime.channel import GoneError
from realtime.opening import Opening
from scheduler.realtime.protocol import InvalidSinceError, Since

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from realtime.catch_up import CatchUp
    from realtime.channel import Channel
    from scheduler.realtime.connections import Connections
    from scheduler.realtime.tickets import Tickets

MOST_CONNECTIONS: Final = 20
"""How many a user may have open; the index lags behind, so now and then one more."""
PAUSE: Final = timedelta(seconds=10)
"""Between two repetitions on one connection: each may cost a hundred frames."""

_logger: Final = Logger()


class Gate:
    """Lets clients in and out, and listens to them.

    Args:
        tickets: who may come in.
        connections: who is in.
        catch_up: serves a connection that is open.
        channel: the way to the clients.
        later: sees to a connection that opens when this invocation is over.
        clock: gives the present.
    """

    def __init__(
        self,
        tickets: Tickets,
        connections: Connections,
        catch_up: CatchUp,
        channel: Channel,
        later: Callable[[Opening], None],
        clock: Callable[[], datetime],
    ) -> None:
        self._tickets = tickets
        self._connections = connections
        self._catch_up = catch_up
        self._channel = channel
        self._later = later
        self._clock = clock

    def handle(self, event: dict[str, Any]) -> dict[str, int]:
        """Answer an event of the WebSocket API with the status that API Gateway passes on."""
        context = event["requestContext"]
        connection_id = context["connectionId"]
        match context["routeKey"]:
            case "$connect":
                status = self._connect(connection_id, event.get("queryStringParameters") or {})
            case "$disconnect":
                status = self._disconnect(connection_id)
            case _:
                status = self._listen(connection_id, event.get("body") or "")
        return {"statusCode": status.value}

    def _connect(self, connection_id: str, query: dict[str, str]) -> HTTPStatus:
        now = self._clock()
        try:
            since = Since.parse(query["since"]) if query.get("since") else None
        except InvalidSinceError as error:  # before the ticket is used up
            return _refused(connection_id, HTTPStatus.BAD_REQUEST, f"since: {error}")
        admission = self._tickets.redeem(query.get("ticket", ""), now)
        if admission is None:
            return _refused(connection_id, HTTPStatus.UNAUTHORIZED, "no valid ticket")
        if len(self._connections.of_user(admission.user_id, now)) >= MOST_CONNECTIONS:
            return _refused(connection_id, HTTPStatus.TOO_MANY_REQUESTS, "too many connections")
        self._connections.add(connection_id, admission.user_id, now)
        since = since or Since.exactly(admission.issued_at)
        self._later(Opening(connection_id=connection_id, since=since))
        extra = {"connection_id": connection_id, "user_id": admission.user_id}
        _logger.info("Connected", extra=extra)
        return HTTPStatus.OK

    def _disconnect(self, connection_id: str) -> HTTPStatus:
        self._connections.remove(connection_id)
        _logger.info("Disconnected", extra={"connection_id": connection_id})
        return HTTPStatus.OK

    def _listen(self, connection_id: str, body: str) -> HTTPStatus:
        """Repeat what a client says it missed; whatever else it says keeps the connection alive."""
        try:
            since = _since(body)
        except InvalidSinceError as error:
            self._complain(connection_id, "invalid_since", str(error))
            return HTTPStatus.BAD_REQUEST
        if since and not self._connections.allow_replay(connection_id, self._clock(), PAUSE):
            text = f"ask at most every {PAUSE.seconds} seconds"
            self._complain(connection_id, "too_often", text)
            return HTTPStatus.TOO_MANY_REQUESTS
        if since:
            self._catch_up.serve(connection_id, since)
        return HTTPStatus.OK

    def _complain(self, connection_id: str, code: str, message: str) -> None:
        error = {"error": {"code": code, "message": message}}
        try:
            self._channel.post(connection_id, json.dumps(error).encode())
        except GoneError:
            self._connections.remove(connection_id)


def _since(body: str) -> Since | None:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        return None
    wanted = said.get("since") if isinstance(said, dict) else None
    return Since.parse(str(wanted)) if wanted is not None else None


def _refused(connection_id: str, status: HTTPStatus, why: str) -> HTTPStatus:
    _logger.warning("Refused a connection", extra={"connection_id": connection_id, "reason": why})
    return status
