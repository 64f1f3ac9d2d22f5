"""Token buckets that all environments share; most requests need no access to the shared state.

An environment counts what a caller uses, and takes it from the shared bucket afterwards, a block at
a time. The response says how full the bucket is; while it is overdrawn, the environment refuses the
caller without asking again. So one request in ten costs a transaction, and refused ones cost none.
In return, the callers of N environments may use N blocks more than the bucket holds: see
`TokenBuckets`.
"""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

BLOCK: Final = 10
"""Tokens that are taken from the shared bucket at once."""

_MAX_BUCKETS: Final = 10_000


class TokenLimit(NamedTuple):
    """A bucket that holds ``burst`` tokens and gets ``per_second`` new ones."""

    per_second: float
    burst: int

    @property
    def seconds_to_fill(self) -> float:
        """Return how long an empty bucket takes to be full."""
        return self.burst / self.per_second


@dataclass(slots=True)
class _Bucket:
    """What an environment knows about a bucket: the tokens it owes, and when the bucket is full."""

    settles_at: int
    """How many owed tokens are taken from the shared bucket."""
    owed: int = 0
    full_at: float = 0.0


class TokenBuckets:
    """The buckets as one environment sees them. Not thread-safe.

    With N environments, a bucket gives at most ``burst + per_second * t + N * BLOCK`` tokens in any
    time t, plus what the last request of each environment takes beyond one token. While the shared
    buckets are unavailable, each environment applies the limits to its own requests: an outage must
    not refuse users, nor lift the limits altogether. An environment that ends, or has seen 10,000
    callers, forgets what it owes.

    Args:
        take_shared: takes as many tokens as a bucket gets in the given seconds, and returns in how
            many seconds it is full; None if the shared buckets are unavailable.
        clock: returns seconds; need not agree with the clocks of other environments.
        first_block: returns the size of the first block, 1 to `BLOCK`. It is random, or the blocks
            of a caller whose requests are spread evenly would all be taken at the same moment.
    """

    def __init__(
        self,
        take_shared: Callable[[str, float], float | None],
        clock: Callable[[], float] = time.monotonic,
        first_block: Callable[[], int] = lambda: random.randint(1, BLOCK),  # noqa: S311 - not a secret
    ) -> None:
        self._take_shared = take_shared
        self._clock = clock
        self._first_block = first_block
        self._buckets: dict[str, _Bucket] = {}

    def wait(self, name: str, limit: TokenLimit) -> float:
        """Return after how many seconds the bucket has a token; 0 if it has one now."""
        bucket = self._buckets.get(name)
        if bucket is None:
            return 0.0
        return max(0.0, bucket.full_at - limit.seconds_to_fill - self._clock())

    def take(self, name: str, limit: TokenLimit, tokens: int = 1) -> None:
        """Take tokens from a bucket, even if it has fewer; the caller has asked `wait`."""
        bucket = self._buckets.get(name)
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[name] = _Bucket(self._first_block())
        bucket.owed += tokens
        if bucket.owed >= bucket.settles_at:
            self._settle(name, limit, bucket)

    def _settle(self, name: str, limit: TokenLimit, bucket: _Bucket) -> None:
        seconds, bucket.owed, bucket.settles_at = bucket.owed / limit.per_second, 0, BLOCK
        full_in = self._take_shared(name, seconds)
        if full_in is None:
            bucket.full_at = max(bucket.full_at, self._clock()) + seconds
        else:
            bucket.full_at = self._clock() + full_in
