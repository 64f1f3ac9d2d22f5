"""Repeated requests: the same idempotency key of a user returns the same allocation.

Keys are read and written while the user's row is locked, so two requests with the same key run one
after the other.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from pymysql.cursors import Cursor

_RECALL: Final = """
    SELECT user_id, idempotency_key, allocation_id, request_sha256 FROM idempotency_keys
    WHERE (user_id, idempotency_key) IN %s
"""
_REMEMBER: Final = """
    INSERT INTO idempotency_keys
        (user_id, idempotency_key, request_sha256, allocation_id, created_at)
    VALUES (%s, %s, %s, %s, %s)
"""


class KeyReusedError(Exception):
    """The idempotency key belongs to another request."""

    def __str__(self) -> str:
        return "was used for another request"


class IdempotencyKey(NamedTuple):
    """The key that a client sends with a request of a user."""

    user_id: str
    name: str


class IdempotencyKeys:
    """The keys of a transaction's requests, both known and new."""

    def __init__(self, cursor: Cursor, keys: Collection[IdempotencyKey]) -> None:
        self._cursor = cursor
        self._known: dict[IdempotencyKey, tuple[str, bytes]] = {}
        self._new: list[IdempotencyKey] = []
        if keys:
            cursor.execute(_RECALL, (tuple(map(tuple, keys)),))
            for user_id, name, allocation_id, sha256 in cursor.fetchall():
                self._known[IdempotencyKey(user_id, name)] = (allocation_id, sha256)

    def recall(self, key: IdempotencyKey | None, request: Mapping[str, object]) -> str | None:
        """Return the id of the allocation that was stored for a key; None for a new key.

        Raises:
            KeyReusedError: the key was stored for another request.
        """
        if key is None or key not in self._known:
            return None
        allocation_id, sha256 = self._known[key]
        if sha256 != _sha256(request):
            raise KeyReusedError
        return allocation_id

    def remember(
        self, key: IdempotencyKey | None, request: Mapping[str, object], allocation_id: str
    ) -> None:
        """Record the allocation of a request; `write` stores it."""
        if key is not None:
            self._known[key] = (allocation_id, _sha256(request))
            self._new.append(key)

    def write(self, now: datetime) -> None:
        """Store the recorded keys in the transaction of the allocations."""
        rows = [(*key, sha256, id_, now) for key in self._new for id_, sha256 in [self._known[key]]]
        self._cursor.executemany(_REMEMBER, rows)


def _sha256(request: Mapping[str, object]) -> bytes:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
