"""Open WebSockets in DynamoDB.

The item of a connection::

    connection_id, owner, expires_at, user_id, asked_at

``user_id`` is what the index is made of. It is set when the connection is open, not before: API
Gateway answers 410 to frames for a connection whose handshake still goes on, and whoever sends
frames takes that for a connection that is gone.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

LONGEST: Final = timedelta(hours=2)
"""API Gateway ends every connection after that time."""

_REFUSED: Final = "ConditionalCheckFailedException"
_USER_INDEX: Final = "user_id"


class Connections:
    """The table of connections; may be used by several threads at once.

    Each method raises botocore's ``BotoCoreError`` or ``ClientError`` if DynamoDB is away.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table

    def add(self, connection_id: str, user_id: str, now: datetime) -> None:
        """Note whose a connection is that is about to open."""
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "connection_id": {"S": connection_id},
                "owner": {"S": user_id},
                "expires_at": {"N": str(_seconds(now + LONGEST))},
            },
        )

    def owner(self, connection_id: str) -> str | None:
        """Return whose a connection is; None when it has ended."""
        key = {"connection_id": {"S": connection_id}}
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item = answer.get("Item")
        return item["owner"]["S"] if item else None

    def show(self, connection_id: str) -> bool:
        """Let an open connection receive its user's notifications; return whether it still exists.

        One that ended meanwhile stays away.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"connection_id": {"S": connection_id}},
                UpdateExpression="SET user_id = #owner",
                ConditionExpression="attribute_exists(connection_id)",
                ExpressionAttributeNames={"#owner": "owner"},  # a reserved word
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _REFUSED:
                return False
            raise
        return True

    def may_ask(self, connection_id: str, now: datetime, pause: timedelta) -> bool:
        """Note that a client asks for what it missed, unless it did so less than a pause ago."""
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"connection_id": {"S": connection_id}},
                UpdateExpression="SET asked_at = :now",
                ConditionExpression="attribute_exists(connection_id)"
                " AND (attribute_not_exists(asked_at) OR asked_at <= :before)",
                ExpressionAttributeValues={
                    ":now": {"N": str(now.timestamp())},
                    ":before": {"N": str((now - pause).timestamp())},
                },
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == _REFUSED:
                return False
            raise
        return True

    def is_shown(self, connection_id: str, user_id: str) -> bool:
        """Tell whether whoever looks for a user's connections finds this one.

        The index follows the table after a moment (eventual consistency).
        """
        return connection_id in self._shown(user_id, expiring_after=0)

    def of_user(self, user_id: str, now: datetime) -> list[str]:
        """Return the ids of a user's open connections; an expired one counts as absent.

        DynamoDB deletes expired items days late.
        """
        return self._shown(user_id, expiring_after=_seconds(now))

    def remove(self, connection_id: str) -> None:
        """Forget a connection that has ended."""
        key = {"connection_id": {"S": connection_id}}
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    def _shown(self, user_id: str, *, expiring_after: int) -> list[str]:
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=_USER_INDEX,
            KeyConditionExpression="user_id = :user",
            FilterExpression="expires_at > :moment",
            ProjectionExpression="connection_id",
            ExpressionAttributeValues={
                ":user": {"S": user_id},
                ":moment": {"N": str(expiring_after)},
            },
        )
        return [item["connection_id"]["S"] for item in answer["Items"]]


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())
