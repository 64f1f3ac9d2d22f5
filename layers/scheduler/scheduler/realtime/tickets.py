"""One-time tickets for the WebSocket, whose handshake cannot carry an Authorization header.

The item of a ticket::

    ticket, user_id, issued_at, expires_at

DynamoDB deletes expired items days late, so it is the condition that refuses them.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

LIFETIME: Final = timedelta(seconds=60)

_BYTES: Final = 32
_LENGTH: Final = len(secrets.token_urlsafe(_BYTES))
_REFUSED: Final = "ConditionalCheckFailedException"


class Ticket(NamedTuple):
    """A ticket that was just issued."""

    secret: str
    expires_at: datetime


class Admission(NamedTuple):
    """Whom a ticket lets in, and since when he has been on his way."""

    user_id: str
    issued_at: datetime


class Tickets:
    """The table of tickets. The table resource may be shared by threads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def issue(self, user_id: str, now: datetime) -> Ticket:
        """Return a new ticket for a user.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it.
        """
        # TTL counts in whole seconds; rounded up, a ticket never lives shorter than it says.
        expires_at = (now + LIFETIME).replace(microsecond=0) + timedelta(seconds=1)
        ticket = Ticket(secrets.token_urlsafe(_BYTES), expires_at)
        self._table.put_item(
            Item={
                "ticket": ticket.secret,
                "user_id": user_id,
                "issued_at": now.astimezone(UTC).isoformat(),
                "expires_at": int(expires_at.timestamp()),
            }
        )
        return ticket

    def consume(self, secret: str, now: datetime) -> Admission | None:
        """Take a ticket out of the world; None if it is unknown, used or expired.

        Of two who come with the same ticket one gets it: the deletion itself decides.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB is away; whether the ticket
                is used up is not known.
        """
        if len(secret) != _LENGTH:  # DynamoDB has limits of its own for keys
            return None
        try:
            answer = self._table.delete_item(
                Key={"ticket": secret},
                ConditionExpression="expires_at > :now",
                ExpressionAttributeValues={":now": int(now.timestamp())},
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _REFUSED:
                return None
            raise
        item = cast("dict[str, Any]", answer["Attributes"])
        return Admission(item["user_id"], datetime.fromisoformat(item["issued_at"]))
