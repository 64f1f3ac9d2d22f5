"""Nothing is lost between what is repeated and what comes live, wherever a commit falls."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from realtime.catch_up import CatchUp
from realtime.channel import GoneError
from realtime.inbox import NEWEST
from scheduler.database.connection import Database
from scheduler.realtime.protocol import Since
from scheduler.settings import DatabaseSettings
from tests.integration.realtime.interrupted import Interruption
from tests.integration.realtime.platform import receive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.lambda_runtime.environment import LambdaEnvironment
    from scheduler.realtime.connections import Connections
    from tests.integration.realtime.notices import Notices
    from tests.integration.realtime.platform import Platform

STEPS = 8
"""Of a connection that has missed two notifications: calls of database, table and channel."""


class Received:
    """The channel of a client that keeps what it receives, until it goes away."""

    def __init__(self, stays_for: int = 1000) -> None:
        self.messages: list[str] = []
        self._stays_for = stays_for

    def is_open(self, _connection_id: str) -> bool:
        return True

    def post(self, _connection_id: str, frame: bytes) -> None:
        if len(self.messages) == self._stays_for:
            raise GoneError
        self.messages.append(json.loads(frame)["message"])


@contextmanager
def database(url: str) -> Iterator[Database]:
    with closing(Database(DatabaseSettings.model_validate({"DATABASE_URL": url}))) as opened:
        yield opened


@pytest.mark.parametrize("step", range(STEPS))
def test_a_notification_committed_at_any_step_of_connecting_arrives(
    database_url: str, connections: Connections, notices: Notices, step: int
) -> None:
    client, before = Received(), datetime.now(UTC)
    connections.add("c1", "u1", before)
    notices.add("u1", "missed 1")
    notices.add("u1", "missed 2")

    def commit() -> None:
        notices.add("u1", "meanwhile", status="pending")
        if connections.is_active("c1", "u1"):  # then the dispatcher, nudged after the commit, sends
            client.messages.append("meanwhile")

    interruption = Interruption(step, commit)
    with database(database_url) as opened:
        CatchUp(
            interruption.of(opened), interruption.of(connections), interruption.of(client)
        ).opening("c1", Since.exactly(before))

    assert interruption.calls >= STEPS
    assert "meanwhile" in client.messages
    assert client.messages.index("missed 1") < client.messages.index("missed 2")
    assert client.messages.index("missed 2") < client.messages.index("meanwhile")


def test_a_client_that_leaves_meanwhile_is_not_shown_again(
    database_url: str, connections: Connections, notices: Notices
) -> None:
    before = datetime.now(UTC)
    connections.add("c1", "u1", before)
    notices.add("u1", "missed 1")
    notices.add("u1", "missed 2")

    with database(database_url) as opened:
        CatchUp(opened, connections, Received(stays_for=1)).opening("c1", Since.exactly(before))  # type: ignore[arg-type]

    assert connections.owner("c1") is None
    assert not connections.is_active("c1", "u1")


@pytest.mark.parametrize("step", range(3))
def test_a_connection_that_ends_at_any_step_stays_away(
    database_url: str, connections: Connections, step: int
) -> None:
    connections.add("c1", "u1", datetime.now(UTC))
    interruption = Interruption(step, lambda: connections.remove("c1"))

    with database(database_url) as opened:
        CatchUp(opened, interruption.of(connections), interruption.of(Received())).opening(
            "c1", Since.exactly(datetime.now(UTC))
        )

    assert not connections.is_active("c1", "u1")


@pytest.mark.usefixtures("broker_url")
def test_a_client_that_keeps_reconnecting_misses_nothing(
    realtime: Platform, notices: Notices, dispatcher: LambdaEnvironment
) -> None:
    """Real sockets, handler and dispatcher: notifications are committed while it comes and goes."""
    wanted = [f"{number}" for number in range(NEWEST)]

    def write() -> None:
        for message in wanted:
            notices.add("u1", message, status="pending")
            dispatcher.invoke(b"{}")

    got: dict[str, str] = {}
    since, visits = "2025-01-01T00:00:00Z", 0
    with ThreadPoolExecutor(1) as writer:
        writing = writer.submit(write)
        while len(got) < len(wanted):
            enough = min(len(got) + NEWEST // 10, len(wanted))
            with realtime.connect("u1", since=since) as socket:
                while len(got) < enough:
                    frame = receive(socket)
                    got[frame["id"]] = frame["message"]
            since, visits = max(got), visits + 1
        writing.result()

    assert sorted(got.values(), key=int) == wanted
    assert visits >= 10
