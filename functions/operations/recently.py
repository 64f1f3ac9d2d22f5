"""What happened in the last minutes: outcomes of messages, changes to devices, deliveries."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from scheduler.database import activity
from scheduler.outbox import settled

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from scheduler.database.activity import Happening
    from scheduler.database.cursor import BulkCursor

_MINUTE: Final = timedelta(minutes=1)
_DELIVERIES_OF: Final = timedelta(minutes=5)
_QUANTILES: Final = {"p50": 0.5, "p99": 0.99}


def recently(cursor: BulkCursor, now: datetime) -> dict[str, Any]:
    """Return what happened per minute, and the deliveries of the last five minutes.

    ``estimated`` names the outcomes and changes of which not all could be read.
    """
    since = now - _MINUTE
    outcomes: dict[str, dict[str, float]] = {}
    estimated: set[str] = set()
    for happenings in activity.recent_messages(cursor, since):
        for (queue, outcome), rate in per_minute(happenings, now).items():
            outcomes.setdefault(queue, {})[outcome] = rate
        estimated |= _estimated(happenings)
    changes = activity.recent_changes(cursor, since)
    return {
        "outcomesPerMinute": outcomes,
        "changesPerMinute": {what: rate for (_, what), rate in per_minute(changes, now).items()},
        "estimated": sorted(estimated | _estimated(changes)),
        "deliveries": _deliveries(cursor, now),
    }


def per_minute(happenings: Sequence[Happening], now: datetime) -> dict[tuple[str, str], float]:
    """Return how often something happened in the last minute, by subject and outcome.

    If there are more rows than are read, the number is estimated from the period that the rows read
    cover.
    """
    counts = Counter((one.subject, one.outcome) for one in happenings)
    if len(happenings) < activity.MAX_ROWS:
        return dict(counts)
    return {key: _estimate(count, happenings[-1].at, now, _MINUTE) for key, count in counts.items()}


def _estimate(count: int, oldest: datetime, now: datetime, window: timedelta) -> int:
    """Estimate how often something happens in a window from the rows read."""
    seconds = max((now - oldest).total_seconds(), 0.001)
    return max(count, round(count * window.total_seconds() / seconds))


def _estimated(happenings: Sequence[Happening]) -> set[str]:
    if len(happenings) < activity.MAX_ROWS:
        return set()
    return {one.outcome for one in happenings}


def _deliveries(cursor: BulkCursor, now: datetime) -> dict[str, Any]:
    """Return by channel the number of deliveries by status, and the delays of sent ones.

    ``estimated`` names the statuses of which not all were counted; ``delaysOf`` is the number of
    sent deliveries from which the quantiles are computed.
    """
    since = now - _DELIVERIES_OF
    found: dict[str, Any] = {}
    for one in settled.count_settled(cursor, since):
        about = found.setdefault(
            one.channel,
            {"statuses": {}, "estimated": [], "delaySeconds": None, "delaysOf": 0},
        )
        about["statuses"][one.status] = one.number
        if one.number >= settled.MAX_COUNTED:
            about["statuses"][one.status] = _estimate(one.number, one.oldest, now, _DELIVERIES_OF)
            about["estimated"].append(one.status)
    for channel, delays in settled.recent_delays(cursor, since).items():
        if about := found.get(channel):  # None: sent since they were counted
            ordered = sorted(delay.total_seconds() for delay in delays)
            about |= {"delaySeconds": _quantiles(ordered), "delaysOf": len(ordered)}
    return found


def _quantiles(ordered: Sequence[float]) -> dict[str, float]:
    return {
        name: round(max(0.0, ordered[ceil(share * len(ordered)) - 1]), 3)
        for name, share in _QUANTILES.items()
    }
