"""How much of the invocation is left."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

_RESERVE_SHARE: Final = 0.2
"""Of a consumer's 120 s: 18 for the tries of a transaction that was begun just before – three, each
of which may wait 3 s for users and 3 s for devices, asked for at once – and the rest to settle."""
_LEAST_RESERVE: Final = 1.0


class Deadline(NamedTuple):
    """The moment (of `time.monotonic`) after which nothing new is begun, only settled."""

    at: float

    @classmethod
    def of(cls, context: Any) -> Deadline:  # noqa: ANN401 - Lambda's context has no public type
        """Return the deadline of an invocation: a fifth of its time is kept for what was begun."""
        if not hasattr(context, "get_remaining_time_in_millis"):
            return cls(float("inf"))
        left = context.get_remaining_time_in_millis() / 1000
        return cls(time.monotonic() + left - max(_LEAST_RESERVE, left * _RESERVE_SHARE))

    @property
    def passed(self) -> bool:
        """Tell whether nothing new should be begun."""
        return time.monotonic() >= self.at
