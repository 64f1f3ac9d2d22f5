"""Finds callers who were deleted: their tokens stay valid until they expire."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from scheduler.database import users
from scheduler.domain.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.database.connection import Database

TRUSTED_SECONDS: Final = 10.0
"""How long a caller who was found not to be deleted is not looked up again."""

_MAX_TRUSTED: Final = 10_000


class DeletedUsers:
    """Refuses deleted callers. Not thread-safe.

    Args:
        database: where they are looked up.
        clock: returns seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._trusted_until: dict[str, float] = {}

    def refuse(self, user_id: str) -> None:
        """Return if a user was not deleted; an unknown user was not.

        Raises:
            RefusedError: the user was deleted.
            DatabaseUnavailableError: the database is unavailable.
        """
        now = self._clock()
        if self._trusted_until.get(user_id, now) > now:
            return
        with self._database.transaction() as cursor:
            if users.is_deleted(cursor, user_id):
                raise RefusedError(Refusal.USER_DELETED)
        if len(self._trusted_until) >= _MAX_TRUSTED:
            self._trusted_until.clear()
        self._trusted_until[user_id] = now + TRUSTED_SECONDS
