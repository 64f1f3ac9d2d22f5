"""The WebSocket connections of users, in DynamoDB.

The item of a connection::

    connection_id, owner, expires_at, user_id, asked_at

``user_id`` is the key of the index by user. It is set when the handshake has completed, not before:
until then API Gateway answers frames with 410 Gone, and a sender that gets 410 deletes the item.
How many a user has is counted in another item: see `scheduler.realtime.user_limit`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from scheduler.aws_errors import code_of
from scheduler.realtime.user_limit import UserLimit

if TYPE_CHECKING:
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

MAX_CONNECTION_AGE: Final = timedelta(hours=2)
"""API Gateway closes every WebSocket after two hours:
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""

MAX_CONNECTIONS: Final = 20
"""Per user, even if many are opened at once."""

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"
_USER_INDEX: Final = "user_id"


class Connections:
    """The table of connections. Thread-safe.

    Every method raises botocore's ``BotoCoreError`` or ``ClientError`` if DynamoDB is unavailable.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._limit = UserLimit(dynamodb, table, "connection_id", MAX_CONNECTIONS)

    def add(self, connection_id: str, user_id: str, now: datetime) -> bool:
        """Store a connection whose handshake has begun; it is not yet in the index by user.

        Returns False, and stores nothing, if the user has `MAX_CONNECTIONS` already.
        """
        expires_at = _seconds(now + MAX_CONNECTION_AGE)
        self._dynamodb.put_item(
            TableName=self._table,
            Item={
                "connection_id": {"S": connection_id},
                "owner": {"S": user_id},
                "expires_at": {"N": str(expires_at)},
            },
        )
        admitted = self._limit.admit(user_id, connection_id, expires_at, now)
        if not admitted:
            self.remove(connection_id)
        return admitted

    def owner(self, connection_id: str) -> str | None:
        """Return the user of a connection; None if it has ended."""
        key = {"connection_id": {"S": connection_id}}
        answer = self._dynamodb.get_item(TableName=self._table, Key=key, ConsistentRead=True)
        item = answer.get("Item")
        return item["owner"]["S"] if item else None

    def activate(self, connection_id: str) -> bool:
        """Add an open connection to the index by user, so that it receives frames.

        Returns False if the connection has ended meanwhile.
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
            if code_of(error) == _CONDITION_FAILED:
                return False
            raise
        return True

    def allow_replay(self, connection_id: str, now: datetime, min_interval: timedelta) -> bool:
        """Return whether a client may have notifications replayed, and store the time if so.

        False if the last replay was less than ``min_interval`` ago, or the connection has ended.
        """
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"connection_id": {"S": connection_id}},
                UpdateExpression="SET asked_at = :now",
                ConditionExpression="attribute_exists(connection_id)"
                " AND (attribute_not_exists(asked_at) OR asked_at <= :before)",
                ExpressionAttributeValues={
                    ":now": {"N": str(now.timestamp())},
                    ":before": {"N": str((now - min_interval).timestamp())},
                },
            )
        except ClientError as error:
            if code_of(error) == _CONDITION_FAILED:
                return False
            raise
        return True

    def is_active(self, connection_id: str, user_id: str) -> bool:
        """Return whether the index by user contains a connection.

        The index is eventually consistent: it follows `activate` after a moment.
        """
        return connection_id in self._active(user_id, expiring_after=0)

    def of_user(self, user_id: str, now: datetime) -> list[str]:
        """Return the ids of a user's active connections.

        Expired items are left out: DynamoDB deletes them up to a few days late.
        """
        return self._active(user_id, expiring_after=_seconds(now))

    def counted(self, user_id: str) -> set[str]:
        """Return the ids of a user's connections, also of those that are not active.

        Some may have ended.
        """
        return self._limit.counted(user_id)

    def remove(self, connection_id: str) -> None:
        """Delete a connection that has ended."""
        key = {"connection_id": {"S": connection_id}}
        self._dynamodb.delete_item(TableName=self._table, Key=key)

    def forget(self, user_id: str) -> set[str]:
        """Delete the item that counts a user's connections, and return their ids.

        Some may have ended.
        """
        return self._limit.forget(user_id)

    def _active(self, user_id: str, *, expiring_after: int) -> list[str]:
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
