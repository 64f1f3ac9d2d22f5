"""Counting failed payments of distinct users: a batch against one after the other."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.ours import warm
from bench.workload import PAYMENT_FAILED, invocations, seed
from scheduler.payments.counter import payment_failures
from scheduler.settings import PaymentSettings

if TYPE_CHECKING:
    from bench.stand import Stand

_BATCH: Final = 100
_ROUNDS: Final = 3


def measure(stand: Stand) -> dict[str, Any]:
    """Return seconds for a hundred users by handler and by sequential counting, and the ratio."""
    os.environ.update(stand.environment)  # boto3 reads it
    counter = payment_failures(PaymentSettings.from_environment())
    counter.count("nobody", "connect", datetime.now(UTC), datetime.now(UTC))
    stand.empty()
    with stand.cursor() as cursor:
        began = seed(cursor, _BATCH * (_ROUNDS + 1))
    batches = [*invocations(PAYMENT_FAILED.events(range(_BATCH * (_ROUNDS + 1)), began), _BATCH)]
    handled, counted = [], []
    with warm(PAYMENT_FAILED.service, stand) as function:
        function.run(batches[:1])
        for number, batch in enumerate(batches[1:]):
            handled.append(function.run([batch]).seconds)
            started = time.perf_counter()
            for user in range(_BATCH):
                counter.count(f"other-{number}-{user}", "message", began, began)
            counted.append(time.perf_counter() - started)
    return {
        "handler_seconds": median(handled),
        "sequential_seconds": median(counted),
        "ratio": median(c / h for c, h in zip(counted, handled, strict=True)),
    }
