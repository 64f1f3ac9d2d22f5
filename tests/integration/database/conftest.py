"""A migrated database, and the functions on it."""

from collections.abc import Iterator

import pytest

from tests.support.functions import Functions
from tests.support.store import Store


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.database.close()


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    with Functions(database_url) as made:
        yield made
