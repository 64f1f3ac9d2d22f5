"""The contracts of the billing events. Amounts are in yuan."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, ClassVar, Final

from pydantic import AfterValidator, BeforeValidator, Field

from scheduler.domain.guard import Concern, Guard, Stamp
from scheduler.messaging.contract import DECIMAL, PLAIN_INTEGER, FreeText, PaymentEffect, UserEvent

_MAX_AMOUNT: Final = Decimal(10) ** 12
_PLACES: Final = 2


def _decimal_only(value: object) -> object:
    """Reject what Decimal accepts besides plain numbers, such as ``1_000`` and ``１０``."""
    if isinstance(value, bool) or (isinstance(value, str) and not DECIMAL.fullmatch(value)):
        raise ValueError("must be a decimal number such as 150.50")
    return value


def _to_cents(value: Decimal) -> Decimal:
    """Round to cents: a sum of floats misses 0 by 10⁻¹⁷, which is no debt."""
    exponent = value.as_tuple().exponent
    rounded = value if isinstance(exponent, int) and exponent >= -_PLACES else round(value, _PLACES)
    return rounded or abs(rounded)  # 0 without a sign


Amount = Annotated[
    Decimal,
    Field(ge=0, le=_MAX_AMOUNT),
    BeforeValidator(_decimal_only),
    AfterValidator(_to_cents),
]
Balance = Annotated[
    Decimal,
    Field(ge=-_MAX_AMOUNT, le=_MAX_AMOUNT),
    BeforeValidator(_decimal_only),
    AfterValidator(_to_cents),
]
"""The balance of an account; negative if it is overdrawn."""

_SETTLES = Guard(Concern.BILLING, (Concern.BILLING,))
_ONLY_COMPARES = Guard(Concern.BILLING, ())
"""These events never make each other outdated: two failures count in any order."""


def _yuan(amount: Decimal) -> str:
    """Return an amount with two decimals, or none if it is whole."""
    return f"{amount:.0f}" if amount == amount.to_integral_value() else f"{amount:.2f}"


class PaymentFailed(UserEvent):
    """A payment failed."""

    event_type: ClassVar = "billing.payment_failed"
    guard: ClassVar = _ONLY_COMPARES
    payment: ClassVar = PaymentEffect.FAILURE
    amount: Amount
    """The amount of the payment in yuan."""
    reason: FreeText
    """Why it failed, for the user."""

    @property
    def stamp(self) -> Stamp:
        """Return its time alone: the counter of failed payments knows no versions."""
        return Stamp(self.timestamp)

    @property
    def summary(self) -> str:
        """Return amount and reason."""
        return f"amount: {_yuan(self.amount)}, reason: {self.reason}"


class BalanceLow(UserEvent):
    """The balance fell below the threshold at which the user wants a warning."""

    event_type: ClassVar = "billing.balance_low"
    guard: ClassVar = _ONLY_COMPARES
    critical: ClassVar = False
    current_balance: Balance
    """The balance in yuan."""
    threshold: Amount
    """The amount in yuan below which the user is warned."""

    @property
    def summary(self) -> str:
        """Return balance and threshold."""
        return f"balance: {_yuan(self.current_balance)}, threshold: {_yuan(self.threshold)}"


class Overdue(UserEvent):
    """Payments of an account have been overdue for some days."""

    event_type: ClassVar = "billing.overdue"
    guard: ClassVar = _SETTLES
    overdue_amount: Amount
    """The amount owed in yuan."""
    overdue_days: Annotated[int, Field(ge=0, le=100_000), PLAIN_INTEGER]
    """For how many days."""

    @property
    def summary(self) -> str:
        """Return amount and days."""
        return f"amount: {_yuan(self.overdue_amount)}, days: {self.overdue_days}"


class _Credit(UserEvent):
    """Money arrived on the account."""

    guard: ClassVar = _SETTLES
    payment: ClassVar = PaymentEffect.RESET
    amount: Amount
    """The amount received in yuan."""
    new_balance: Balance
    """The balance in yuan afterwards; a negative one keeps the hold of billing.overdue."""

    @property
    def in_debt(self) -> bool:
        """Return whether the money was not enough: the hold of billing.overdue stays."""
        return self.new_balance < 0

    @property
    def advances(self) -> tuple[Concern, ...]:
        """Return the concerns whose marks it advances: none while the account is in debt.

        It keeps the hold of an older billing.overdue, which therefore counts if it arrives later.
        """
        return () if self.in_debt else self.guard.advances

    @property
    def summary(self) -> str:
        """Return amount and new balance."""
        return f"amount: {_yuan(self.amount)}, balance: {_yuan(self.new_balance)}"


class PaymentSuccess(_Credit):
    """A payment succeeded."""

    event_type: ClassVar = "billing.payment_success"
    critical: ClassVar = False


class Recharged(_Credit):
    """The user topped up the account."""

    event_type: ClassVar = "billing.recharged"
