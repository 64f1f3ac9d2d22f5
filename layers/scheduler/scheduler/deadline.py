"""When an invocation must stop starting new work."""

from __future__ import annotations

import time
from typing import Any, Final, NamedTuple

_RESERVED_SHARE: Final = 0.2
"""For settling: 24 s of a consumer's 120 s. A publisher that connects may wait for 20 s."""
_MIN_RESERVED_SECONDS: Final = 1.0


class Deadline(NamedTuple):
    """The time (of `time.monotonic`) after which nothing is started or awaited, only settled."""

    at: float

    @classmethod
    def of(cls, context: Any) -> Deadline:  # noqa: ANN401 - Lambda's context has no public type
        """Return the deadline of an invocation: a fifth of its time is reserved to finish."""
        return cls._before_end(context, _RESERVED_SHARE)

    @classmethod
    def to_finish(cls, context: Any) -> Deadline:  # noqa: ANN401 - Lambda's context has no public type
        """Return the deadline of an invocation's last statement: nearly its end."""
        return cls._before_end(context, 0)

    @classmethod
    def _before_end(cls, context: Any, share: float) -> Deadline:  # noqa: ANN401 - Lambda's context has no public type
        if not hasattr(context, "get_remaining_time_in_millis"):
            return NEVER
        left = context.get_remaining_time_in_millis() / 1000
        return cls(time.monotonic() + left - max(_MIN_RESERVED_SECONDS, left * share))

    @property
    def seconds_left(self) -> float:
        """The seconds until the deadline; negative if it has passed."""
        return self.at - time.monotonic()

    def after_share(self, share: float) -> Deadline:
        """Return an earlier deadline, for work that takes at most this share of the time left."""
        return Deadline(self.at - self.seconds_left * (1 - share)) if self != NEVER else NEVER

    @property
    def passed(self) -> bool:
        """Return whether the deadline has passed."""
        return self.seconds_left <= 0


NEVER: Final = Deadline(float("inf"))
