"""One-time tickets for the WebSocket, whose handshake cannot carry an Authorization header.

The item of a ticket::

    ticket, user_id, issued_at, expires_at

DynamoDB deletes expired items up to a few days late, so redeeming checks ``expires_at`` itself.
"""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

from botocore.exceptions import ClientError

from scheduler.aws_errors import code_of
from scheduler.realtime.user_limit import UserLimit

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TICKET_LIFETIME: Final = timedelta(seconds=60)
MAX_OPEN_TICKETS: Final = 20
"""Per user; a ticket that was used is no longer open."""

_BYTES: Final = 32
_LENGTH: Final = len(secrets.token_urlsafe(_BYTES))
_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class TooManyTicketsError(Exception):
    """The user has too many open tickets."""


class Ticket(NamedTuple):
    """A new ticket; ``secret`` is what the client presents."""

    secret: str
    expires_at: datetime


class RedeemedTicket(NamedTuple):
    """The user of a ticket, and when it was issued."""

    user_id: str
    issued_at: datetime


class Tickets:
    """The table of tickets. Thread-safe."""

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._limit = UserLimit(dynamodb, table, "ticket", MAX_OPEN_TICKETS)

    def issue(self, user_id: str, now: datetime) -> Ticket:
        """Return a new ticket for a user.

        Raises:
            TooManyTicketsError: the user has `MAX_OPEN_TICKETS` that are neither used nor expired.
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB did not store it.
        """
        # TTL has whole seconds; rounding up keeps a ticket valid for at least its lifetime.
        expires_at = (now + TICKET_LIFETIME).replace(microsecond=0) + timedelta(seconds=1)
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
        if not self._limit.admit(user_id, ticket.secret, int(expires_at.timestamp()), now):
            self._delete(ticket.secret)
            raise TooManyTicketsError(f"{MAX_OPEN_TICKETS} tickets are open")
        return ticket

    def redeem(self, secret: str, now: datetime) -> RedeemedTicket | None:
        """Redeem a ticket; it cannot be used again. None if it is unknown, used or expired.

        A conditional delete decides, so of concurrent calls with the same ticket one succeeds.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB is unavailable; the ticket may
                or may not be used.
        """
        if len(secret) != _LENGTH:  # DynamoDB rejects keys that are empty or too long
            return None
        try:
            answer = self._dynamodb.delete_item(
                TableName=self._table,
                Key={"ticket": {"S": secret}},
                # Only tickets have a user_id; the items that count them are named after users.
                ConditionExpression="expires_at > :now AND attribute_exists(user_id)",
                ExpressionAttributeValues={":now": {"N": str(int(now.timestamp()))}},
                ReturnValues="ALL_OLD",
            )
        except ClientError as error:
            if code_of(error) == _CONDITION_FAILED:
                return None
            raise
        item = answer["Attributes"]
        return RedeemedTicket(item["user_id"]["S"], datetime.fromisoformat(item["issued_at"]["S"]))

    def erase(self, user_id: str) -> None:
        """Delete the open tickets of a user, and the item that counts them.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB is unavailable; call it again.
        """
        for secret in self._limit.counted(user_id):
            self._delete(secret)
        for secret in self._limit.forget(user_id):  # also those that were issued meanwhile
            self._delete(secret)

    def _delete(self, secret: str) -> None:
        self._dynamodb.delete_item(TableName=self._table, Key={"ticket": {"S": secret}})
