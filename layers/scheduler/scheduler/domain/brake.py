"""The mass-failure brake: when too many devices seem to fail at once, the report is doubted.

A monitor that has lost its network reports every device as failed; believed, it would take all of
them from their users within a minute. Pure: what is known is passed in, what is to be remembered is
read off afterwards.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

WINDOW: Final = timedelta(seconds=60)
"""Releases of that time are counted together."""


class BrakeLimits(NamedTuple):
    """How much is believed: a share of the running devices, and a number that is in any case.

    A share of 1 doubts nothing: more than all devices cannot fail.
    """

    share: float
    devices: int

    def max_releases(self, running: int) -> float:
        """Return how many devices may be released within `WINDOW`, of so many running ones."""
        return math.inf if self.share >= 1 else max(self.devices, int(self.share * running))


class BrakeState(NamedTuple):
    """What is known before a batch.

    ``engaged_at``: releases are held since then; ``open_until``: until then all are let through,
    however many. ``recent_releases`` counts those of the last `WINDOW`, ``running`` the devices
    that run.
    """

    engaged_at: datetime | None = None
    open_until: datetime | None = None
    recent_releases: int = 0
    running: int = 0

    def is_open(self, now: datetime) -> bool:
        """Tell whether an operator has let everything through."""
        return self.open_until is not None and now < self.open_until


class Brake:
    """Decides, message by message, whether the releases of a batch are believed.

    Once it holds, it holds until an operator decides: ``tripped`` says that this batch was the one
    too many, ``released`` and ``held`` count devices and messages.
    """

    def __init__(self, limits: BrakeLimits, state: BrakeState, now: datetime) -> None:
        # What was released lately has run until then.
        self.limit = limits.max_releases(state.running + state.recent_releases)
        self.released = self.held = 0
        self.tripped = False
        self._lately = state.recent_releases
        self._open = state.is_open(now)
        self._holds = bool(state.engaged_at) and not self._open

    def admit(self, releases: int) -> bool:
        """Take notice of a message that would release so many devices; return whether it may."""
        if releases and not self._open:
            beyond = self._lately + self.released + releases > self.limit
            self.tripped |= beyond and not self._holds
            self._holds |= beyond
            if self._holds:
                self.held += 1
                return False
        self.released += releases
        return True
