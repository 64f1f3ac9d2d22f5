"""The shared buckets while the database is unavailable."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NoReturn

from allocation_api.limits import shared_buckets
from scheduler.database.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from collections.abc import Iterator


class AwayDatabase:
    """A database that cannot be reached."""

    def __init__(self) -> None:
        self.asked = 0

    @contextmanager
    def transaction(self) -> Iterator[NoReturn]:
        self.asked += 1
        raise DatabaseUnavailableError("away")
        yield  # makes it a generator


def test_an_unavailable_database_is_queried_again_after_five_seconds() -> None:
    database, now = AwayDatabase(), [100.0]
    take = shared_buckets(database, lambda: now[0])  # type: ignore[arg-type]  # as far as it is used

    assert [take("u1/requests", 1.0) for _ in range(3)] == [None, None, None]
    assert database.asked == 1
    now[0] += 5
    assert take("u1/requests", 1.0) is None
    assert database.asked == 2
