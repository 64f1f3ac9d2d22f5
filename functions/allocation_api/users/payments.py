"""A user's failed payments, asked for in a time that a person waits for a page."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING, Final

from aws_lambda_powertools import Logger

from allocation_api.aws import PATIENCE
from scheduler.payments.failure import PaymentsUnavailableError

if TYPE_CHECKING:
    from scheduler.payments.counter import PaymentFailures
    from scheduler.settings import PaymentSettings

_logger: Final = Logger()


class PaymentCount:
    """The counter, connected on first use: most requests never need it."""

    def __init__(self, settings: PaymentSettings) -> None:
        self._settings = settings

    def of(self, user_id: str) -> int | None:
        """Return how many of a user's payments failed lately; None while DynamoDB is away."""
        try:
            return self._failures.current(user_id, datetime.now(UTC))
        except PaymentsUnavailableError as error:
            _logger.warning("Payment failures are unknown", extra={"error": str(error)})
            return None

    @cached_property
    def _failures(self) -> PaymentFailures:
        from scheduler.payments.counter import (  # noqa: PLC0415 - 300 ms other routes need not spend
            payment_failures,
        )

        return payment_failures(self._settings, PATIENCE)
