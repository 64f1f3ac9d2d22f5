"""The five billing events as they arrive. Amounts are in yuan."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Annotated, ClassVar, Final

from pydantic import BeforeValidator, Field

from scheduler.domain.guard import Concern, Guard
from scheduler.messaging.contract import PaymentEffect, Text, UserEvent

_MOST: Final = Decimal(10) ** 12
_DECIMAL: Final = re.compile(r"-?\d+(\.\d+)?", re.ASCII)


def _plain(value: object) -> object:
    """Refuse what Decimal would read besides numbers: ``1_000``, ``１０``, ``true``."""
    if isinstance(value, bool) or (isinstance(value, str) and not _DECIMAL.fullmatch(value)):
        raise ValueError("must be a decimal number such as 150.50")
    return value


Amount = Annotated[Decimal, Field(ge=0, le=_MOST), BeforeValidator(_plain)]
Balance = Annotated[Decimal, Field(ge=-_MOST, le=_MOST), BeforeValidator(_plain)]
"""What is on an account; below zero when it is overdrawn."""

_SETTLES = Guard(Concern.BILLING, (Concern.BILLING,))
_ONLY_COMPARES = Guard(Concern.BILLING, ())
"""Two failures out of order both count: they never outdate each other."""


class PaymentFailed(UserEvent):
    """A payment did not go through."""

    event_type: ClassVar = "billing.payment_failed"
    guard: ClassVar = _ONLY_COMPARES
    payment: ClassVar = PaymentEffect.FAILURE
    amount: Amount
    reason: Text


class BalanceLow(UserEvent):
    """The balance fell below what the user wants to be warned at."""

    event_type: ClassVar = "billing.balance_low"
    guard: ClassVar = _ONLY_COMPARES
    critical: ClassVar = False
    current_balance: Balance
    threshold: Amount


class Overdue(UserEvent):
    """An account owes money since some days."""

    event_type: ClassVar = "billing.overdue"
    guard: ClassVar = _SETTLES
    overdue_amount: Amount
    overdue_days: Annotated[int, Field(ge=0, le=100_000)]


class PaymentSuccess(UserEvent):
    """A payment went through."""

    event_type: ClassVar = "billing.payment_success"
    guard: ClassVar = _SETTLES
    payment: ClassVar = PaymentEffect.RESET
    critical: ClassVar = False
    amount: Amount
    new_balance: Balance


class Recharged(UserEvent):
    """The user topped up the account."""

    event_type: ClassVar = "billing.recharged"
    guard: ClassVar = _SETTLES
    payment: ClassVar = PaymentEffect.RESET
    amount: Amount
    new_balance: Balance
