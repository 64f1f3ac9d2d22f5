"""The mass-failure brake: holds releases while more devices fail than is plausible.

A monitor that has lost its network reports every device as failed. Without the brake, all of them
would be taken from their users within a minute. Pure: the caller loads the state and stores what
the brake counted.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

WINDOW: Final = timedelta(seconds=60)
"""Period over which releases are counted."""


class BrakeLimits(NamedTuple):
    """How many devices may be released within `WINDOW`.

    A share of the running devices, but at least ``devices``. A share of 1 switches the brake off.
    The values are those of `scheduler.settings.BrakeSettings`.
    """

    share: float
    devices: int

    def max_releases(self, running: int) -> float:
        """Return how many of the running devices may be released within `WINDOW`."""
        return math.inf if self.share >= 1 else max(self.devices, int(self.share * running))


class BrakeState(NamedTuple):
    """The state of the brake before a batch.

    Releases are held since ``engaged_at``. Until ``open_until`` the limit does not apply.
    ``recent_releases`` counts the releases of the last `WINDOW`, ``running`` the running devices
    before them, as last counted.
    """

    engaged_at: datetime | None = None
    open_until: datetime | None = None
    recent_releases: int = 0
    running: int = 0

    def is_open(self, now: datetime) -> bool:
        """Return whether an operator has suspended the limit."""
        return self.open_until is not None and now < self.open_until


class Brake:
    """Decides for each message of a batch whether its releases are allowed.

    Once engaged, it stays engaged until an operator decides. ``tripped`` is true if this batch
    engaged it, ``released`` counts devices and ``held`` counts messages.
    """

    def __init__(self, limits: BrakeLimits, state: BrakeState, now: datetime) -> None:
        self.limit = limits.max_releases(state.running)
        self.released = self.held = 0
        self.tripped = False
        self._recent = state.recent_releases
        self._open = state.is_open(now)
        self._engaged = bool(state.engaged_at) and not self._open

    def admit(self, releases: int) -> bool:
        """Count a message that would release some devices, and return whether it may."""
        if releases and not self._open:
            exceeded = self._recent + self.released + releases > self.limit
            self.tripped |= exceeded and not self._engaged
            self._engaged |= exceeded
            if self._engaged:
                self.held += 1
                return False
        self.released += releases
        return True
