"""Fixtures: a migrated database to look into, and the deployed functions on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.functions import Functions
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    made = Store(database_url)
    yield made
    made.database.close()


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    """The functions where nothing must be published: their broker is not there."""
    with Functions(database_url) as made:
        yield made
