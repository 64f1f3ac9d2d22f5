"""Local servers are started again, with growing pauses, and stay away on request."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from local import LocalError
from local.restarts import Outage, Restarts

if TYPE_CHECKING:
    from pathlib import Path

    from local.servers.server import Server


@dataclass
class FakeServer:
    """A server that runs or not, and refuses to start as often as it is told."""

    refusals: int = 0
    runs: bool = True
    attempts: int = 0
    name: str = "MariaDB"

    def failure(self) -> str | None:
        return None if self.runs else f"{self.name}: ended"

    def kill(self) -> None:
        self.runs = False

    def start(self) -> None:
        self.attempts += 1
        if self.attempts <= self.refusals:
            raise LocalError("no room on the disk")
        self.runs = True


@dataclass
class Stage:
    """Restarts of one fake server, at a time that the test sets."""

    folder: Path
    server: FakeServer = field(default_factory=FakeServer)
    now: float = 1000.0
    prepared: int = 0
    lines: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        servers = [cast("Server", self.server)]
        requests = self.folder / "outage.json"
        self.restarts = Restarts(
            servers, self.prepare, requests, self.lines.append, lambda: self.now
        )

    def prepare(self, _server: Server) -> None:
        self.prepared += 1

    def check_at(self, now: float) -> int:
        """Return how often the server was started up to a time."""
        self.now = now
        self.restarts.check()
        return self.server.attempts


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def test_running_server_is_left_alone(stage: Stage) -> None:
    assert stage.check_at(1000) == 0
    assert stage.lines == []


def test_server_that_ended_is_started_and_prepared_again(stage: Stage) -> None:
    stage.server.kill()

    assert stage.check_at(1000) == 1
    assert (stage.server.runs, stage.prepared) == (True, 1)
    assert stage.lines[-1] == "MariaDB runs again"


def test_pauses_between_failed_starts_double(stage: Stage) -> None:
    stage.server.refusals = 3
    stage.server.kill()

    attempts = [stage.check_at(now) for now in (1000, 1000.9, 1001, 1002.9, 1003, 1006.9, 1007)]

    assert attempts == [1, 1, 2, 2, 3, 3, 4]
    assert stage.prepared == 1
    assert "no room on the disk; next attempt in 2 s" in stage.lines


def ends_and_is_checked(stage: Stage, *times: float) -> list[int]:
    """Return how often the server was started up to each time, if it always ends at once."""
    attempts = []
    for now in times:
        stage.server.kill()
        attempts.append(stage.check_at(now))
    return attempts


def test_pauses_of_a_server_that_starts_and_ends_at_once_double(stage: Stage) -> None:
    attempts = ends_and_is_checked(stage, 1000, 1000.9, 1001, 1002.9, 1003, 1006.9, 1007)

    assert attempts == [1, 1, 2, 2, 3, 3, 4]
    assert "MariaDB runs again; if it ends soon, next attempt in 4 s" in stage.lines


def test_pauses_begin_again_after_a_server_has_stayed_up(stage: Stage) -> None:
    ends_and_is_checked(stage, 1000, 1001)
    assert stage.check_at(1060) == 2  # it runs, but not for a minute yet
    assert ends_and_is_checked(stage, 1060, 1063.9, 1064) == [3, 3, 4]

    assert stage.check_at(1124) == 4
    assert ends_and_is_checked(stage, 1124, 1124.9, 1125) == [5, 5, 6]


def test_server_stays_away_for_the_time_of_a_requested_outage(stage: Stage) -> None:
    Outage("MariaDB", 1060).write(stage.folder / "outage.json")

    assert [stage.check_at(now) for now in (1000, 1030, 1059)] == [0, 0, 0]
    assert not stage.server.runs
    assert stage.check_at(1060) == 1
    assert stage.check_at(1061) == 1


def test_request_for_another_server_stops_nothing(stage: Stage) -> None:
    Outage("RabbitMQ", 1060).write(stage.folder / "outage.json")

    stage.check_at(1000)

    assert stage.server.runs
