"""The functions on a real database; tests that publish use a real broker too."""

from collections.abc import Iterator

import pytest

from tests.support.functions import Functions
from tests.support.queues import Queues


@pytest.fixture
def queues(broker_url: str) -> Queues:
    return Queues(broker_url)


@pytest.fixture
def connected(database_url: str, broker_url: str) -> Iterator[Functions]:
    """The functions with a real broker."""
    with Functions(database_url, broker_url) as made:
        yield made
