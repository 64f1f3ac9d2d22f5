"""What the console's first page shows: every server, and what happened recently, in one call.

The servers are queried in parallel, each with a short timeout. So a server that is down or hangs is
reported at once, and the results of the others are still shown.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from operations import brake, outbox, queues
from operations.errors import OpsError
from operations.recently import recently
from scheduler.parallel import NoAnswerError, ask_all
from scheduler.payments.failure import PaymentsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from operations.context import NoArguments, OperationContext

PART_SECONDS: Final = 2.5
"""How long a server may take to answer."""
_NOBODY: Final = "health check"
"""Not a valid user id, because it contains a space."""


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
            **recently(cursor, now),
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
