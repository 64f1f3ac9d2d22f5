"""No notification is lost between replay and live frames, whenever it is committed."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, cast

import pytest

from realtime.connection_client import GoneError
from realtime.replay import MAX_REPLAYED, Replay
from scheduler.database.connection import Database
from scheduler.realtime.protocol import Since
from scheduler.settings import DatabaseSettings
from tests.integration.realtime.clients import receive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.lambda_runtime.environment import LambdaEnvironment
    from realtime.connection_client import ConnectionClient
    from scheduler.realtime.connections import Connections
    from tests.integration.realtime.clients import Clients
    from tests.integration.realtime.stored_notifications import StoredNotifications

STEPS = 8
"""Calls of database, table and client for a connection that has missed two notifications."""


class FakeClient:
    """Stands in for `ConnectionClient`; the connection is gone after so many frames."""

    def __init__(self, gone_after: int = 1000) -> None:
        self.messages: list[str] = []
        self._gone_after = gone_after

    def is_open(self, _connection_id: str) -> bool:
        return True

    def post(self, _connection_id: str, frame: bytes) -> None:
        if len(self.messages) == self._gone_after:
            raise GoneError
        self.messages.append(json.loads(frame)["message"])


class Interruption:
    """Counts the method calls of several objects and calls ``act`` before one of them."""

    def __init__(self, before: int, act: Callable[[], None]) -> None:
        self.calls = 0
        self._before = before
        self._act = act

    def of(self, target: object) -> Any:  # noqa: ANN401 - stands in for the object
        """Return a stand-in for an object whose method calls are counted."""
        return _Counted(target, self._count)

    def _count(self) -> None:
        if self.calls == self._before:
            self._act()
        self.calls += 1


class _Counted:
    def __init__(self, target: object, count: Callable[[], None]) -> None:
        self._target = target
        self._count = count

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method
        method = getattr(self._target, name)

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any method
            self._count()
            return method(*arguments, **named)

        return call


@contextmanager
def database(url: str) -> Iterator[Database]:
    with closing(Database(DatabaseSettings.model_validate({"DATABASE_URL": url}))) as opened:
        yield opened


@pytest.mark.parametrize("step", range(STEPS))
def test_notification_committed_at_any_step_of_connecting_is_received(
    database_url: str, connections: Connections, notifications: StoredNotifications, step: int
) -> None:
    client, before = FakeClient(), datetime.now(UTC)
    connections.add("c1", "u1", before)
    notifications.add("u1", "missed 1")
    notifications.add("u1", "missed 2")

    def commit() -> None:
        notifications.add("u1", "meanwhile", status="pending")
        if connections.is_active("c1", "u1"):  # the dispatcher, nudged after the commit, would send
            client.messages.append("meanwhile")

    interruption = Interruption(step, commit)
    with database(database_url) as opened:
        Replay(
            interruption.of(opened), interruption.of(connections), interruption.of(client)
        ).after_handshake("c1", Since.exactly(before))

    assert interruption.calls >= STEPS
    assert "meanwhile" in client.messages
    assert client.messages.index("missed 1") < client.messages.index("missed 2")
    assert client.messages.index("missed 2") < client.messages.index("meanwhile")


def test_connection_that_is_gone_during_the_replay_is_removed(
    database_url: str, connections: Connections, notifications: StoredNotifications
) -> None:
    before = datetime.now(UTC)
    connections.add("c1", "u1", before)
    notifications.add("u1", "missed 1")
    notifications.add("u1", "missed 2")

    with database(database_url) as opened:
        client = cast("ConnectionClient", FakeClient(gone_after=1))
        Replay(opened, connections, client).after_handshake("c1", Since.exactly(before))

    assert connections.owner("c1") is None
    assert not connections.is_active("c1", "u1")


@pytest.mark.parametrize("step", range(3))
def test_connection_that_ends_at_any_step_does_not_become_active(
    database_url: str, connections: Connections, step: int
) -> None:
    connections.add("c1", "u1", datetime.now(UTC))
    interruption = Interruption(step, lambda: connections.remove("c1"))

    with database(database_url) as opened:
        Replay(opened, interruption.of(connections), interruption.of(FakeClient())).after_handshake(
            "c1", Since.exactly(datetime.now(UTC))
        )

    assert not connections.is_active("c1", "u1")


@pytest.mark.usefixtures("broker_url")
def test_client_that_keeps_reconnecting_misses_no_notification(
    clients: Clients, notifications: StoredNotifications, dispatcher: LambdaEnvironment
) -> None:
    """With real sockets, handler and dispatcher, while notifications are committed."""
    wanted = [f"{number}" for number in range(MAX_REPLAYED)]

    def write() -> None:
        for message in wanted:
            notifications.add("u1", message, status="pending")
            dispatcher.invoke(b"{}")

    got: dict[str, str] = {}
    since, connects = "2025-01-01T00:00:00Z", 0
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        while len(got) < len(wanted):
            enough = min(len(got) + MAX_REPLAYED // 10, len(wanted))
            with clients.connect("u1", since=since) as socket:
                while len(got) < enough:
                    frame = receive(socket)
                    got[frame["id"]] = frame["message"]
            since, connects = max(got), connects + 1
        writing.result()

    assert sorted(got.values(), key=int) == wanted
    assert connects >= 10
