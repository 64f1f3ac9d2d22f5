"""When an invocation must stop starting new work."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

_RESERVED_SHARE: Final = 0.2
"""Of a consumer's 120 s: 18 s for a transaction that has just begun (three attempts, each of which
may wait 3 s for users' and 3 s for devices' locks), and the rest to settle."""
_MIN_RESERVED_SECONDS: Final = 1.0


class Deadline(NamedTuple):
    """The time (of `time.monotonic`) after which nothing new is started, only settled."""

    at: float

    @classmethod
    def of(cls, context: Any) -> Deadline:  # noqa: ANN401 - Lambda's context has no public type
        """Return the deadline of an invocation: a fifth of its time is reserved to finish."""
        if not hasattr(context, "get_remaining_time_in_millis"):
            return cls(float("inf"))
        left = context.get_remaining_time_in_millis() / 1000
        return cls(time.monotonic() + left - max(_MIN_RESERVED_SECONDS, left * _RESERVED_SHARE))

    @property
    def passed(self) -> bool:
        """Tell whether the deadline has passed."""
        return time.monotonic() >= self.at
