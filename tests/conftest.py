"""Fixtures of all tests: a migrated database to look into, and the deployed functions on it."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

import tests.support.profile  # noqa: F401 - sets up hypothesis
from scheduler.database.connection import Database
from tests.support.clock import Clock
from tests.support.functions import Functions
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator

pytest_plugins = ["tests.servers"]


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
def functions(database_url: str) -> Iterator[Functions]:
    """The functions where nothing must be published: their broker is not there."""
    with Functions(database_url) as made:
        yield made
