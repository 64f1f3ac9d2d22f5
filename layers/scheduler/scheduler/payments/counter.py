"""Counts failed payments in DynamoDB, one user or many at a time, and resets the counts.

`scheduler.payments.item` chooses each write. Its condition keeps it correct under concurrent
writers; when the condition fails, the item that DynamoDB returns decides the next write.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from scheduler.payments.failure import CountPostponedError, CountRefusedError, Failure
from scheduler.payments.item import (
    CountedUser,
    KnownCount,
    count_all,
    count_next,
    count_values,
    is_expired,
    reset_next,
    reset_values,
)
from scheduler.payments.table import FailureTable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from scheduler.payments.notation import Item
    from scheduler.settings import PaymentSettings

_MAX_UPDATES: Final = 5
"""Attempts to update one item; each one that fails means that another writer succeeded."""
_MAX_TRANSACTIONS: Final = 3
"""Attempts of a transaction, each without the puts that cancelled the one before."""
_CONFLICTS: Final = f"other writers changed the user's failures {_MAX_UPDATES} times in a row"

_CLIENT_CONFIG: Final = {
    "max_pool_connections": 32,
    "connect_timeout": 2,
    "read_timeout": 5,
    "retries": {"mode": "standard", "total_max_attempts": 3},
}


class PaymentFailures:
    """The counter of failed payments. Thread-safe.

    Every method raises `PaymentsUnavailableError` when DynamoDB does not answer, and its subclass
    `CountPostponedError` when it throttles, denies access or fails, or when conflicts with other
    writers exhausted the attempts.
    """

    def __init__(self, table: FailureTable, ttl: timedelta) -> None:
        self._table = table
        self._ttl = ttl

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        """Count a failure once and return the user's count; None if a newer reset superseded it.

        The count does not rise above `MAX_COUNT`.

        Args:
            user_id: whose payment failed.
            message_id: identifies the failure; the same id is not counted again.
            at: when the payment failed (UTC).
            now: the current time (UTC), at which the time to live starts.

        Raises:
            CountRefusedError: DynamoDB rejects the request.
        """
        failure = Failure(user_id, message_id, at)
        values = count_values(failure, now, now + self._ttl)
        item: Item = {}
        for _ in range(_MAX_UPDATES):
            step = count_next(item, failure, now)
            if isinstance(step, KnownCount):
                return step.count
            write, more = step
            written, item = self._table.update(user_id, write, values | more)
            if written:
                return int(item["failure_count"])
        raise CountPostponedError(_CONFLICTS)

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        """Count failures with one read and usually one transaction.

        Args:
            failures: of at most `MAX_TOGETHER` users, those of one user in order.
            now: the current time (UTC), at which the time to live starts.

        Returns:
            What `count` returns, by message id. Missing ids must be counted with `count`: another
            writer interfered, or DynamoDB rejects one of the failures.
        """
        by_user: dict[str, list[Failure]] = {}
        for failure in failures:
            by_user.setdefault(failure.user_id, []).append(failure)
        counts: dict[str, int | None] = {}
        with suppress(CountRefusedError, CountPostponedError):
            items, expires = self._table.get_many(list(by_user)), now + self._ttl
            users = [count_all(items[id_], by_user[id_], now, expires) for id_ in items]
            for user in users:
                if user.put is None:
                    counts |= user.counts
            for user in self._transact([user for user in users if user.put]):
                counts |= user.counts
        return counts

    def _transact(self, users: Sequence[CountedUser]) -> Sequence[CountedUser]:
        """Return the users whose puts one transaction made; none if every attempt conflicted."""
        made = False
        for _ in range(_MAX_TRANSACTIONS):
            if made or not users:
                break
            made, users = self._table.transact(users)
        return users if made else ()

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        """Forget the failures up to ``at``, and return how many later ones are left.

        Does nothing after a newer reset.

        Raises:
            CountRefusedError: DynamoDB rejects the request.
        """
        values = reset_values(at, now, now + self._ttl)
        item: Item = {}
        for _ in range(_MAX_UPDATES):
            step = reset_next(item, at)
            if step is None:
                return _alive_count(item, now)
            write, more = step
            written, item = self._table.update(user_id, write, values | more)
            if written:
                return _alive_count(item, now)
        raise CountPostponedError(_CONFLICTS)

    def current(self, user_id: str, now: datetime) -> int:
        """Return a user's count; 0 if it has expired."""
        return _alive_count(self._table.get(user_id), now)


def _alive_count(item: Item, now: datetime) -> int:
    return 0 if is_expired(item, now) else int(item.get("failure_count", 0))


def payment_failures(
    settings: PaymentSettings, client_config: Mapping[str, Any] = _CLIENT_CONFIG
) -> PaymentFailures:
    """Return the counter on the table that the settings name.

    Args:
        settings: the table's name, and how many days a failure is remembered.
        client_config: timeouts and retries, as arguments of botocore's ``Config``.
    """
    import boto3  # noqa: PLC0415 - heavy; tests and type checkers do not need it
    from botocore.config import Config  # noqa: PLC0415 - comes with boto3

    client = boto3.client("dynamodb", config=Config(**client_config))
    table = FailureTable(client, settings.payment_failures_table)
    return PaymentFailures(table, timedelta(days=settings.payment_failure_ttl_days))
