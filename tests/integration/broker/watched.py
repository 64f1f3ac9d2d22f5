"""A database that counts its transactions and reports their failures to a test."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from scheduler.database.connection import Database

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.database.cursor import BulkCursor
    from scheduler.settings import ConsumerSettings


class WatchedDatabase(Database):
    """Counts transactions; ``failing`` is called with the error of each that fails."""

    begun = 0

    def __init__(
        self,
        settings: ConsumerSettings,
        failing: Callable[[Exception], None] = lambda _: None,
        lock_seconds: int = 10,
    ) -> None:
        super().__init__(settings)
        self._failing = failing
        self._lock_seconds = lock_seconds

    @contextmanager
    def transaction(self) -> Iterator[BulkCursor]:
        self.begun += 1
        try:
            with super().transaction() as cursor:
                cursor.execute("SET SESSION innodb_lock_wait_timeout = %s", (self._lock_seconds,))
                yield cursor
        except Exception as error:
            self._failing(error)
            raise
