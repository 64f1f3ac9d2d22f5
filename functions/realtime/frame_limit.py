"""Counts the frames of each connection, in the memory of this environment.

API Gateway limits the frames of a WebSocket API as a whole only, and each one invokes the function.
A store that all environments share would cost each frame more than most frames cost without it.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime

WINDOW: Final = timedelta(seconds=10)
MAX_FRAMES: Final = 20
"""Per window. A client needs one in ten minutes."""

_MAX_CONNECTIONS: Final = 1_000
"""Maximum number of connections remembered; then the one that was silent longest is forgotten."""


@dataclass(slots=True)
class _Seen:
    began: datetime
    frames: int = 0
    replayed_at: datetime | None = None


class FrameLimit:
    """The recent frames and replays of each connection. Not thread-safe."""

    def __init__(self) -> None:
        self._seen: OrderedDict[str, _Seen] = OrderedDict()

    def count(self, connection_id: str, now: datetime) -> int:
        """Count a frame, and return how many came in this window."""
        seen = self._seen.setdefault(connection_id, _Seen(now))
        self._seen.move_to_end(connection_id)
        if len(self._seen) > _MAX_CONNECTIONS:
            self._seen.popitem(last=False)
        if now - seen.began >= WINDOW:
            seen.began, seen.frames = now, 0
        seen.frames += 1
        return seen.frames

    def note_replay(self, connection_id: str, now: datetime) -> None:
        """Note that notifications are replayed to a connection whose frame was counted."""
        self._seen[connection_id].replayed_at = now

    def replayed_within(self, interval: timedelta, connection_id: str, now: datetime) -> bool:
        """Return whether a replay was noted less than an interval ago; False if none is known."""
        replayed_at = self._seen[connection_id].replayed_at
        return replayed_at is not None and now - replayed_at < interval

    def forget(self, connection_id: str) -> None:
        """Forget a connection that has ended."""
        self._seen.pop(connection_id, None)
