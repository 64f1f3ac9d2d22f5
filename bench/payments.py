"""Counts failed payments of distinct users: in one batch against one by one."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from bench.database_state import StateMismatchError
from bench.warm_function import warm
from bench.workload import PAYMENT_FAILED, invocations, seed
from scheduler.payments.counter import payment_failures
from scheduler.payments.failure import Failure
from scheduler.settings import PaymentSettings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from bench.testbed import Testbed
    from scheduler.payments.counter import PaymentFailures

_BATCH: Final = 100
_ROUNDS: Final = 3


def measure(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the figures of users without and with earlier failures."""
    os.environ.update(testbed.environment)  # boto3 reads it
    counter = payment_failures(PaymentSettings.from_environment())
    yield "100 users", _measured(testbed, counter, failed_before=False)
    yield "100 users who failed before", _measured(testbed, counter, failed_before=True)


def _measured(testbed: Testbed, counter: PaymentFailures, *, failed_before: bool) -> dict[str, Any]:
    """Return the seconds for 100 users with the handler and one by one, and the ratio."""
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, _BATCH * (_ROUNDS + 1))
    counter.count("unknown-user", "connect", datetime.now(UTC), datetime.now(UTC))
    batches = [*invocations(PAYMENT_FAILED.events(range(_BATCH * (_ROUNDS + 1)), began), _BATCH)]
    handled, counted = [], []
    with warm(PAYMENT_FAILED.service, testbed) as function:
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
            _require_count(counter, [*ours, *others], 1 + failed_before)
    return {
        "handler_seconds": median(handled),
        "sequential_seconds": median(counted),
        "ratio": median(c / h for c, h in zip(counted, handled, strict=True)),
    }


def _require_count(counter: PaymentFailures, users: Iterable[str], count: int) -> None:
    """Check that every user has the expected count.

    Raises:
        StateMismatchError: a user has another count.
    """
    found = {user: counter.current(user, datetime.now(UTC)) for user in users}
    if wrong := {user: n for user, n in found.items() if n != count}:
        raise StateMismatchError(f"should be {count}: {wrong}")
