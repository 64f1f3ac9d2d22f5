"""A connection that floods the function is refused from memory, and closed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from websockets.exceptions import ConnectionClosed

from realtime.connection_client import GoneError
from realtime.frame_limit import MAX_FRAMES, WINDOW
from realtime.websocket_routes import MIN_REPLAY_INTERVAL, WebSocketRoutes
from tests.integration.realtime.clients import receive
from tests.support.together import eventually
from tests.support.world import NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_dynamodb.service_resource import Table

    from tests.integration.realtime.clients import Clients

ASK = '{"since": "2025-01-01T00:00:00Z"}'


def test_connection_that_sends_too_much_gets_an_error_and_is_closed(
    clients: Clients, connections_table: Table
) -> None:
    with clients.connect("u1") as socket, clients.connect("u1") as other:
        for _ in range(MAX_FRAMES + 1):
            socket.send("{}")

        assert receive(socket)["error"]["code"] == "too_many_messages"
        with pytest.raises(ConnectionClosed):
            receive(socket)
        eventually(
            lambda: sum("owner" in item for item in connections_table.scan()["Items"]) == 1,
            "only the other connection is stored",
        )
        other.send('{"since": "yesterday"}')
        assert receive(other)["error"]["code"] == "invalid_since"


class Recorder:
    """Stands for the table of connections, the replay and API Gateway; records their calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.gone = False

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - a method of any of the three
        def record(*_arguments: object) -> bool:
            self.calls.append(name)
            if name == "post" and self.gone:
                raise GoneError
            return True

        return record


class Flood:
    """Frames of one connection, at times that the test sets."""

    def __init__(self) -> None:
        self.now: datetime = NOW
        self.seen = seen = Recorder()
        none: Any = None
        parts: Any = seen
        self._routes = WebSocketRoutes(none, parts, parts, parts, none, lambda: self.now)

    def send(self, body: str) -> int:
        """Return the status of a frame; ``seen.calls`` has what it caused."""
        self.seen.calls.clear()
        context = {"connectionId": "c1", "routeKey": "$default"}
        return self._routes.handle({"requestContext": context, "body": body})["statusCode"]

    def disconnect(self) -> None:
        context = {"connectionId": "c1", "routeKey": "$disconnect"}
        self._routes.handle({"requestContext": context})


def test_replay_that_is_requested_too_early_is_refused_without_dynamodb() -> None:
    flood = Flood()
    assert flood.send(ASK) == 200
    assert flood.seen.calls == ["allow_replay", "run"]

    flood.now += MIN_REPLAY_INTERVAL - SECOND
    assert flood.send(ASK) == 429
    assert flood.seen.calls == ["post"]

    flood.now += SECOND
    assert flood.send(ASK) == 200


def test_frames_after_the_one_that_closed_the_connection_cost_nothing() -> None:
    flood = Flood()
    for _ in range(MAX_FRAMES):
        flood.send("{}")

    assert flood.send("{}") == 429
    assert flood.seen.calls == ["post", "close", "remove"]
    for body in ("{}", ASK, '{"since": 7}'):
        assert flood.send(body) == 429
        assert flood.seen.calls == []


def test_connection_that_could_not_be_closed_is_closed_in_the_next_window() -> None:
    flood = Flood()
    for _ in range(2):
        for _ in range(MAX_FRAMES):
            assert flood.send("{}") == 200
        flood.send("{}")
        assert "close" in flood.seen.calls
        flood.now += WINDOW


def test_connection_that_ended_meanwhile_is_closed_without_an_error() -> None:
    flood = Flood()
    flood.seen.gone = True
    for _ in range(MAX_FRAMES):
        flood.send("{}")

    assert flood.send("{}") == 429


def test_steady_client_is_never_closed() -> None:
    flood = Flood()
    for _ in range(3 * MAX_FRAMES):
        assert flood.send("{}") == 200
        flood.now += timedelta(seconds=WINDOW.total_seconds() / MAX_FRAMES)


def test_end_of_a_connection_is_noted() -> None:
    flood = Flood()
    for _ in range(MAX_FRAMES):
        flood.send("{}")
    flood.disconnect()

    assert flood.send("{}") == 200
