"""The targets of a run, as ratios within it where possible."""

from __future__ import annotations

from statistics import mean
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from bench.end_to_end import BATCHER, OURS, PIKA
from bench.scale import MOST_HISTORY, NO_HISTORY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Target(NamedTuple):
    """A figure with a lower bound, ``least``, or an upper bound, ``most``."""

    what: str
    reached: Callable[[Mapping[str, Any]], float]
    unit: str = " ×"
    least: float = 0
    most: float = float("inf")

    @property
    def wanted(self) -> str:
        """Return the bound in words."""
        bound = f"≥ {self.least:g}" if self.least else f"≤ {self.most:g}"
        return bound + self.unit

    def met(self, reached: float) -> bool:
        """Return whether a figure is within the bounds."""
        return self.least <= reached <= self.most


def _end_to_end(event: str) -> Callable[[Mapping[str, Any]], float]:
    def times(figures: Mapping[str, Any]) -> float:
        rows = figures["end to end"]
        ours, theirs = rows[f"{event}: {OURS}"], rows[f"{event}: {PIKA}"]
        return float(ours["per_second"] / theirs["per_second"])

    return times


def _per_event(figures: Mapping[str, Any]) -> float:
    of = figures["handler"]
    hundred, thousand = (of[f"device.failed, batch {n}"]["per_second"] for n in (100, 1000))
    return float(hundred / thousand)


def _history(figures: Mapping[str, Any]) -> float:
    of = figures["history"]
    none = mean(of[name]["seconds"] for name in (NO_HISTORY, f"{NO_HISTORY}, again"))
    return float(of[MOST_HISTORY]["seconds"] / none)


_MANY: Final = "user.suspended, 10000 devices"

TARGETS: Final = (
    Target(
        "handler, device.failed, batch 100, against bare SQL as text",
        lambda f: f["bare SQL"]["device.failed, batch 100"]["ratio_to_text"],
        least=0.6,
    ),
    Target(
        "the same against bare SQL by the bulk protocol",
        lambda f: f["bare SQL"]["device.failed, batch 100"]["ratio_to_bulk"],
        least=0.5,
    ),
    Target(
        "handler, device.failed, batch 1,000, against bare SQL as text",
        lambda f: f["bare SQL"]["device.failed, batch 1000"]["ratio_to_text"],
        least=0.65,
    ),
    Target(
        "end to end, device.failed, against batches of 100 written by hand",
        lambda f: float(
            f["end to end"][f"device.failed: {OURS}"]["per_second"]
            / f["end to end"][f"device.failed: {BATCHER}"]["per_second"]
        ),
        least=1.8,
    ),
    Target(
        "end to end, device.failed, against message-at-a-time Python",
        _end_to_end("device.failed"),
        least=15,
    ),
    Target(
        "end to end, user.suspended × 10, against the same",
        _end_to_end("user.suspended × 10"),
        least=8,
    ),
    Target(
        "statements of a batch of device.failed",
        lambda f: f["cost"]["a batch of 100"]["statements"],
        unit="",
        most=14,
    ),
    Target("time per event, batch 1,000 against batch 100", _per_event, most=1.0),
    Target("with 1 M rows of history against 0", _history, most=1.1),
    Target(
        "release of 10,000 allocations by one event",
        lambda f: f["devices of one user"][_MANY]["seconds"],
        unit=" s",
        most=2,
    ),
    Target(
        "its memory",
        lambda f: f["devices of one user"][_MANY]["peak_mb"],
        unit=" MB",
        most=256,
    ),
    Target(
        "init of device-events against bare imports",
        lambda f: f["cold start"]["device-events"]["times"],
        most=1.3,
    ),
    Target(
        "init of user-events against bare imports",
        lambda f: f["cold start"]["user-events"]["times"],
        most=1.3,
    ),
    Target(
        "billing.payment_failed, batch 100 of distinct users, against sequential counting",
        lambda f: f["payments"]["100 users"]["ratio"],
        least=10,
    ),
)
