"""Fixtures of all tests: a migrated database to look into, and the deployed functions on it."""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from scheduler.database import connection
from scheduler.database.connection import Database
from tests.support.clock import Clock
from tests.support.functions import Functions
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.servers"]

# A busy machine is slow to draw, which says nothing about a strategy. The examples are always the
# same, except where EXAMPLES asks for others (`make stateful`, `make schemathesis`, `make attack`).
settings.register_profile(
    "scheduler",
    deadline=None,
    max_examples=int(os.environ.get("EXAMPLES", "100")),
    derandomize="EXAMPLES" not in os.environ,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("scheduler")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    with closing(made.database):
        yield made


@pytest.fixture
def database(store: Store) -> Iterator[Database]:
    """The database as a function has it, on a connection of its own."""
    with closing(Database(store.settings)) as made:
        yield made


@pytest.fixture
def short_lock_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections that are opened from now on wait for a lock for one second instead of three."""
    waits = connection._SESSION.replace(
        f"_timeout = {connection.LOCK_WAIT_SECONDS},", "_timeout = 1,"
    )
    assert waits != connection._SESSION
    monkeypatch.setattr(connection, "_SESSION", waits)


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    """The functions where nothing must be published: their broker is not there."""
    with Functions(database_url) as made:
        yield made
