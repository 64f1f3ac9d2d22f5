"""What is counted, without the weight of boto3."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

MOST_TOGETHER: Final = 100
"""Users whose failures DynamoDB counts in one transaction; as many items it reads at once."""


class Failure(NamedTuple):
    """A payment that failed: whose it was, what makes it the same one again, and when."""

    user_id: str
    message_id: str
    at: datetime
