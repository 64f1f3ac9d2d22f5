"""One-time tickets for the WebSocket, whose handshake cannot carry an Authorization header.

The item of a ticket::

    ticket, user_id, issued_at, expires_at

DynamoDB deletes expired items days late, so it is the condition that refuses them.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

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
    """The table of tickets; may be used by several threads at once."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def issue(self, user_id: str, now: datetime) -> Ticket:
        """Return a new ticket for a user.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not take it.
        """
        # TTL counts in whole seconds; rounded up, a ticket never lives shorter than it says.
        expires_at = (now + LIFETIME).replace(microsecond=0) + timedelta(seconds=1)
        ticket = Ticket(secrets.token_urlsafe(_BYTES), expires_at)
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "ticket": {"S": ticket.secret},
                "user_id": {"S": user_id},
                "issued_at": {"S": now.astimezone(UTC).isoformat()},
                "expires_at": {"N": str(int(expires_at.timestamp()))},
            },
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
            answer = self._dynamodb.delete_item(
                TableName=self._table,
                Key={"ticket": {"S": secret}},
                ConditionExpression="expires_at > :now",
                ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _REFUSED:
                return None
            raise
        item = answer["Attributes"]
        return Admission(item["user_id"]["S"], datetime.fromisoformat(item["issued_at"]["S"]))
