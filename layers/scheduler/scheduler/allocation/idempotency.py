"""Repeated requests: the same key of the same user means the same allocation.

Keys are read and written under the lock of the user's row, so two requests with one key run
one after the other.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pymysql.cursors import Cursor

_RECALL: Final = """
    SELECT allocation_id, request_sha256 FROM idempotency_keys
    WHERE user_id = %s AND idempotency_key = %s
"""
_REMEMBER: Final = """
    INSERT INTO idempotency_keys
        (user_id, idempotency_key, request_sha256, allocation_id, created_at)
    VALUES (%s, %s, %s, %s, %s)
"""


class KeyReusedError(Exception):
    """The key came before with another request."""


def recall(cursor: Cursor, user_id: str, key: str, request: Mapping[str, object]) -> str | None:
    """Return the id of the allocation that a request with this key led to, if there was one.

    Raises:
        KeyReusedError: that was another request.
    """
    cursor.execute(_RECALL, (user_id, key))
    row = cursor.fetchone()
    if row is None:
        return None
    allocation_id, sha256 = row
    if sha256 != _sha256(request):
        raise KeyReusedError
    return str(allocation_id)


def remember(
    cursor: Cursor,
    user_id: str,
    key: str,
    request: Mapping[str, object],
    allocation_id: str,
    now: datetime,
) -> None:
    """Note which allocation a request led to; part of the allocation's transaction."""
    row = (user_id, key, _sha256(request), allocation_id, now.replace(tzinfo=None))
    cursor.execute(_REMEMBER, row)


def _sha256(request: Mapping[str, object]) -> bytes:
    return hashlib.sha256(json.dumps(request, sort_keys=True).encode()).digest()
