"""Counts failed payments, one by one or many users at once, and resets them.

What an item says is decided in `scheduler.payments.item`; every write has a condition that
makes it true whoever else writes. Where the condition fails, the item met tells what to do next.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.payments.errors import CountRefusedError
from scheduler.payments.failure import Failure
from scheduler.payments.item import (
    Answer,
    Item,
    count_next,
    count_values,
    is_expired,
    reset_next,
    reset_values,
)
from scheduler.payments.table import FailureTable
from scheduler.payments.together import Planned, plan

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scheduler.settings import PaymentSettings

_TRIES: Final = 5
"""Each failed try means that another writer succeeded in between."""
_OVERTAKEN: Final = f"other writers changed the user's failures {_TRIES} times meanwhile"

_TRANSACTIONS: Final = 3
"""Tries of a transaction, without those who cancelled the one before."""


_PATIENCE: Final = {
    "max_pool_connections": 32,
    "connect_timeout": 2,
    "read_timeout": 5,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class PaymentFailures:
    """The counter of failed payments. May be shared by threads.

    Every method raises `PaymentsUnavailableError` when DynamoDB is away, throttles or denies
    access.
    """

    def __init__(self, table: FailureTable, ttl: timedelta) -> None:
        self._table = table
        self._ttl = ttl

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once and return the user's count; None if a newer reset wiped it out.

        Args:
            user_id: whose payment failed.
            message_id: what makes the failure the same one again.
            at: when it failed; ``now``: when it is counted (the TTL starts there).
            now: the time of this run.

        Raises:
            CountRefusedError: other writers won every try, or the item cannot take it.
        """
        failure = Failure(user_id, message_id, at)
        values = count_values(failure, now, now + self._ttl)
        item: Item = {}
        for _ in range(_TRIES):
            step = count_next(item, failure, now)
            if isinstance(step, Answer):
                return step.count
            written, item = self._table.update(user_id, step, values)
            if written:
                return int(item["failure_count"])
        raise CountRefusedError(_OVERTAKEN)

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count failures of distinct users with one read and, as a rule, one transaction.

        Args:
            failures: one for each of at most `MOST_TOGETHER` users.
            now: the time of this run.

        Returns:
            By message id what `count` returns. Who is missing is to be counted alone: somebody
            else was writing, or there is something wrong with one of them.
        """
        answers: dict[str, int | None] = {}
        with suppress(CountRefusedError):
            items = self._table.get_many([failure.user_id for failure in failures])
            writes: list[Planned] = []
            for failure in failures:
                if failure.user_id not in items:
                    continue
                step = plan(items[failure.user_id], failure, now, now + self._ttl)
                if isinstance(step, Answer):
                    answers[failure.message_id] = step.count
                else:
                    writes.append(step)
            answers |= {one.message_id: one.count for one in self._made(writes)}
        return answers

    def _made(self, writes: Sequence[Planned]) -> Sequence[Planned]:
        """Return what could be written together: all, or nobody if others wrote every time."""
        made = False
        for _ in range(_TRANSACTIONS):
            if made or not writes:
                break
            made, writes = self._table.transact(writes)
        return writes if made else ()

    def reset(self, user_id: str, at: datetime, now: datetime) -> None:
        """Forget the failures up to ``at``; those after it stay. Older than a reset: nothing.

        Raises:
            CountRefusedError: other writers won every try.
        """
        values = reset_values(at, now, now + self._ttl)
        item: Item = {}
        for _ in range(_TRIES):
            step = reset_next(item, at)
            if step is None:
                return
            write, more = step
            written, item = self._table.update(user_id, write, values | more)
            if written:
                return
        raise CountRefusedError(_OVERTAKEN)

    def current(self, user_id: str, now: datetime) -> int:
        """Return a user's count; an expired one is 0."""
        item = self._table.get(user_id)
        return 0 if is_expired(item, now) else int(item.get("failure_count", 0))


def payment_failures(
    settings: PaymentSettings, patience: Mapping[str, Any] = _PATIENCE
) -> PaymentFailures:
    """Return the counter on the table of the settings.

    Args:
        settings: names the table and says how long a failure is remembered.
        patience: how long to wait for DynamoDB, for botocore's ``Config``.
    """
    import boto3  # noqa: PLC0415 - heavy; type checkers and tests do without
    from botocore.config import Config  # noqa: PLC0415 - likewise

    client = boto3.client("dynamodb", config=Config(**patience))
    table = FailureTable(client, settings.payment_failures_table)
    return PaymentFailures(table, timedelta(days=settings.payment_failure_ttl_days))
