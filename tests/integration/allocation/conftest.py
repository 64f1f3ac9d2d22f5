"""Fixtures: the database as a test sees it."""

from collections.abc import Iterator

import pytest

from tests.support.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.database.close()
