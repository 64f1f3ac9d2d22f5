"""Checks whether callers were deleted (their tokens stay valid) and whether they are known."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final, NamedTuple

from scheduler.database import users
from scheduler.domain.model import UserStatus
from scheduler.domain.refusal import Refusal, RefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.database.connection import Database

TRUSTED_SECONDS: Final = 10.0
"""How long the result of a lookup is used before the caller is looked up again."""

_MAX_USERS: Final = 10_000


class _Found(NamedTuple):
    trusted_until: float
    known: bool


class KnownUsers:
    """Caches what is known about callers; one query answers both questions. Not thread-safe.

    Args:
        database: where callers are looked up.
        clock: returns seconds.
    """

    def __init__(self, database: Database, clock: Callable[[], float] = time.monotonic) -> None:
        self._database = database
        self._clock = clock
        self._found: dict[str, _Found] = {}

    def refuse_deleted(self, user_id: str) -> None:
        """Return if a user was not deleted; an unknown user was not.

        Raises:
            RefusedError: the user was deleted.
            DatabaseUnavailableError: the database is unavailable.
        """
        found = self._found.get(user_id)
        if found is None or found.trusted_until <= self._clock():
            self._look_up(user_id)

    def is_known(self, user_id: str) -> bool:
        """Return whether a user has a row, which an event, an administrator or an allocation made.

        Raises:
            RefusedError: the user was deleted.
            DatabaseUnavailableError: the database is unavailable.
        """
        found = self._found.get(user_id)
        return (found is not None and found.known) or self._look_up(user_id)

    def _look_up(self, user_id: str) -> bool:
        now = self._clock()
        with self._database.transaction() as cursor:
            status = users.find_status(cursor, user_id)
        if status is UserStatus.DELETED:
            raise RefusedError(Refusal.USER_DELETED)
        if len(self._found) >= _MAX_USERS:
            self._found.clear()
        self._found[user_id] = _Found(now + TRUSTED_SECONDS, status is not None)
        return status is not None
