"""A failed payment, and the errors of counting it. Imports no boto3, so every module may use it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

MAX_TOGETHER: Final = 100
"""Users per transaction and per read: the limit of TransactWriteItems and of BatchGetItem."""
MAX_COUNT: Final = 100
"""Maximum number of a user's failures that are counted, the newest: an item holds 400 KB at
most."""


class Failure(NamedTuple):
    """A failed payment: its user, the message that identifies it, and when it failed (UTC)."""

    user_id: str
    message_id: str
    at: datetime


class CountRefusedError(Exception):
    """This failure could not be counted; other failures are not affected."""


class PaymentsUnavailableError(Exception):
    """DynamoDB is unreachable or answers with an error; no message is at fault."""


class CountPostponedError(PaymentsUnavailableError):
    """DynamoDB answers this request with an error; it may serve those for other users."""
