"""The token buckets that the environments of the HTTP API share: statements on ``request_limits``.

A bucket is stored as the time at which it is full again. Taking tokens moves this time, by the
clock of the database, so that the clocks of the environments do not matter. The rule that uses it
is `allocation_api.token_buckets`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

_MICROSECONDS: Final = 1_000_000
_TAKE: Final = """
    INSERT INTO request_limits (bucket, full_at) VALUES (%s, NOW(6) + INTERVAL %s MICROSECOND)
    ON DUPLICATE KEY UPDATE full_at = GREATEST(full_at, NOW(6)) + INTERVAL %s MICROSECOND
    RETURNING TIMESTAMPDIFF(MICROSECOND, NOW(6), full_at)
"""


def take(cursor: Cursor, bucket: str, seconds: float) -> float:
    """Take tokens from a bucket, and return in how many seconds it is full again.

    Args:
        cursor: of a transaction.
        bucket: its name, at most 96 characters.
        seconds: in which time the bucket gets as many tokens as are taken.
    """
    taken = round(seconds * _MICROSECONDS)
    cursor.execute(_TAKE, (bucket, taken, taken))
    ((full_in,),) = cursor.fetchall()
    return int(full_in) / _MICROSECONDS
