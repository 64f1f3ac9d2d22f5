"""Users on the wire."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from allocation_api.wire import WHOLE, Amount, Answer, RequestBody
from scheduler.domain.model import UserStatus

# ASCII only: SES takes internationalised domains in Punycode and no other local parts
# (https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_Destination.html).
Email = Annotated[
    str,
    StringConstraints(
        max_length=254,
        pattern=r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@([A-Za-z0-9-]{1,63}\.)+[A-Za-z0-9-]{2,63}$",
    ),
]
E164 = Annotated[str, StringConstraints(pattern=r"^\+[1-9][0-9]{6,14}$")]
"""A telephone number as ITU-T E.164 writes it internationally: + and up to 15 digits."""


class Locale(StrEnum):
    """The languages of the text catalogue."""

    CHINESE = "zh-CN"
    ENGLISH = "en"


class UserChange(RequestBody):
    """What is to be different; an absent field stays, null removes the limit or the address."""

    # The factories only make the fields optional without allowing null.
    max_devices: Annotated[int, Field(strict=True, ge=0, le=1_000_000, default_factory=int), WHOLE]
    max_cpu: Amount | None = None
    max_memory_mb: Amount | None = None
    email: Email | None = None
    phone: E164 | None = None
    locale: Annotated[Locale, Field(default_factory=lambda: Locale.CHINESE)]


class User(Answer):
    """A user; ``paymentFailures`` is null while nobody can tell."""

    id: str
    status: UserStatus
    billing_hold: bool
    max_devices: int
    max_cpu: int | None
    max_memory_mb: int | None
    active_devices: int
    payment_failures: int | None
    email: str | None
    phone: str | None
    locale: Locale
