"""What the console's first page shows: every server, and what happened lately, in one call.

The servers are asked at the same time, and each has a short time to answer. So one that is away or
hangs is named at once, and what the others know is shown nevertheless.
"""

from __future__ import annotations

import time
from collections import Counter
from datetime import timedelta
from functools import partial
from math import ceil
from typing import TYPE_CHECKING, Any, Final

from operations import brake, outbox, queues
from operations.errors import OpsError
from scheduler.database import activity
from scheduler.parallel import NoAnswerError, ask_all
from scheduler.payments.failure import PaymentsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from operations.context import NoArguments, OperationContext
    from scheduler.database.activity import Happening, RecentDelivery
    from scheduler.database.cursor import BulkCursor

PART_SECONDS: Final = 2.5
"""How long a server may take to answer."""
_MINUTE: Final = timedelta(minutes=1)
_DELAYS_OF: Final = timedelta(minutes=5)
_QUANTILES: Final = {"p50": 0.5, "p99": 0.99}
_NOBODY: Final = "health check"
"""Is no user's id, because it has a space."""


def overview(context: OperationContext, _arguments: NoArguments) -> dict[str, Any]:
    """Return what the database, the broker and DynamoDB know; ``error`` for one that fails.

    ``milliseconds`` is how long each took to answer.
    """
    parts = {
        "database": lambda: _from_database(context),
        "broker": lambda: _from_broker(context),
        "dynamodb": lambda: _from_dynamodb(context),
    }
    return {"at": context.now.isoformat(), **at_the_same_time(parts, PART_SECONDS)}


def at_the_same_time(
    parts: Mapping[str, Callable[[], dict[str, Any]]], seconds: float
) -> dict[str, dict[str, Any]]:
    """Return the result of each part, or its ``error``, after some seconds at most."""
    timed = {name: partial(_timed, part) for name, part in parts.items()}
    answers = ask_all(timed, seconds)
    return {
        name: _problem(answer) if isinstance(answer, Exception) else answer
        for name, answer in answers.items()
    }


def _timed(part: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    began = time.monotonic()
    try:
        result = part()
    except Exception as error:  # noqa: BLE001 - every error is a result
        result = _problem(error)
    return {**result, "milliseconds": round((time.monotonic() - began) * 1000)}


def _problem(error: Exception) -> dict[str, Any]:
    known = isinstance(error, OpsError | NoAnswerError)
    return {"error": str(error) if known else f"{type(error).__name__}: {error}"}


def _from_database(context: OperationContext) -> dict[str, Any]:
    now = context.now
    with context.transaction() as cursor:
        return {
            "brake": brake.brake_state(cursor, now),
            "outbox": outbox.outbox_state(cursor, now),
            **_lately(cursor, now),
        }


def _from_broker(context: OperationContext) -> dict[str, Any]:
    return {"shards": context.shards, "queues": queues.read_depths(context, context.shards)}


def _from_dynamodb(context: OperationContext) -> dict[str, Any]:
    counter = context.payments()
    try:
        counter.current(_NOBODY, context.now)
    except PaymentsUnavailableError as error:
        raise OpsError(f"cannot read the table of failed payments: {error}") from None
    return {}


def _lately(cursor: BulkCursor, now: datetime) -> dict[str, Any]:
    since = now - _MINUTE
    outcomes: dict[str, dict[str, float]] = {}
    for happenings in activity.recent_messages(cursor, since):
        for (queue, outcome), rate in per_minute(happenings, now).items():
            outcomes.setdefault(queue, {})[outcome] = rate
    changes = per_minute(activity.recent_changes(cursor, since), now)
    deliveries = activity.recent_deliveries(cursor, now - _DELAYS_OF)
    return {
        "outcomesPerMinute": outcomes,
        "changesPerMinute": {what: rate for (_, what), rate in changes.items()},
        "deliveries": _deliveries(deliveries),
    }


def per_minute(happenings: Sequence[Happening], now: datetime) -> dict[tuple[str, str], float]:
    """Return how often something happened in the last minute, by subject and outcome.

    If there were more than are read, the number is estimated from the time that the read ones took.
    """
    counts = Counter((one.subject, one.outcome) for one in happenings)
    if len(happenings) < activity.MAX_ROWS:
        return dict(counts)
    seconds = max((now - happenings[-1].at).total_seconds(), 0.001)
    factor = _MINUTE.total_seconds() / seconds
    return {key: round(count * factor) for key, count in counts.items()}


def _deliveries(deliveries: Iterable[RecentDelivery]) -> dict[str, Any]:
    """Return by channel how many deliveries have which status, and how long sending took."""
    by_channel: dict[str, list[RecentDelivery]] = {}
    for one in deliveries:
        by_channel.setdefault(one.channel, []).append(one)
    return {
        channel: {
            "statuses": dict(Counter(one.status for one in found)),
            "delaySeconds": _quantiles(
                sorted(
                    (one.sent_at - one.created_at).total_seconds() for one in found if one.sent_at
                )
            ),
        }
        for channel, found in sorted(by_channel.items())
    }


def _quantiles(ordered: Sequence[float]) -> dict[str, float] | None:
    if not ordered:
        return None
    return {
        name: round(max(0.0, ordered[ceil(share * len(ordered)) - 1]), 3)
        for name, share in _QUANTILES.items()
    }
