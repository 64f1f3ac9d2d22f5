"""Counting failed payments of distinct users: a batch against one after the other."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.ours import warm
from bench.state import DifferentStateError
from bench.workload import PAYMENT_FAILED, invocations, seed
from scheduler.payments.counter import payment_failures
from scheduler.payments.failure import Failure
from scheduler.settings import PaymentSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.stand import Stand
    from scheduler.payments.counter import PaymentFailures

_BATCH: Final = 100
_ROUNDS: Final = 3


def measure(stand: Stand) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of users who never failed, which most are, and of others."""
    os.environ.update(stand.environment)  # boto3 reads it
    counter = payment_failures(PaymentSettings.from_environment())
    yield "100 users", _measured(stand, counter, failed_before=False)
    yield "100 users who failed before", _measured(stand, counter, failed_before=True)


def _measured(stand: Stand, counter: PaymentFailures, *, failed_before: bool) -> dict[str, Any]:
    """Return seconds for a hundred users by handler and by sequential counting, and the ratio."""
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, _BATCH * (_ROUNDS + 1))
    counter.count("nobody", "connect", datetime.now(UTC), datetime.now(UTC))
    batches = [*invocations(PAYMENT_FAILED.events(range(_BATCH * (_ROUNDS + 1)), began), _BATCH)]
    handled, counted = [], []
    with warm(PAYMENT_FAILED.service, stand) as function:
        function.run(batches[:1])
        for number, batch in enumerate(batches[1:], start=1):
            ours = [f"u{number * _BATCH + n}" for n in range(_BATCH)]
            others = [f"other-{number}-{n}" for n in range(_BATCH)]
            if failed_before:
                for users in (ours, others):
                    counter.count_together([Failure(u, "before", began) for u in users], began)
            handled.append(function.run([batch]).seconds)
            started = time.perf_counter()
            for user in others:
                counter.count(user, "message", began, began)
            counted.append(time.perf_counter() - started)
            _require(counter, [*ours, *others], 1 + failed_before)
    return {
        "handler_seconds": median(handled),
        "sequential_seconds": median(counted),
        "ratio": median(c / h for c, h in zip(counted, handled, strict=True)),
    }


def _require(counter: PaymentFailures, users: Iterable[str], count: int) -> None:
    """Make sure that both ways have counted as much for everybody.

    Raises:
        DifferentStateError: they have not.
    """
    found = {user: counter.current(user, datetime.now(UTC)) for user in users}
    if wrong := {user: n for user, n in found.items() if n != count}:
        raise DifferentStateError(f"should be {count}: {wrong}")
