"""Open WebSockets in DynamoDB.

The item of a connection::

    connection_id, owner, expires_at, user_id

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

    from types_boto3_dynamodb.service_resource import Table

USER_INDEX: Final = "user_id"
LONGEST: Final = timedelta(hours=2)
"""API Gateway ends every connection after that time."""

_REFUSED: Final = "ConditionalCheckFailedException"


class Connections:
    """The table of connections. The table resource may be shared by threads."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def add(self, connection_id: str, user_id: str, now: datetime) -> None:
        """Note whose a connection is that is about to open."""
        self._table.put_item(
            Item={
                "connection_id": connection_id,
                "owner": user_id,
                "expires_at": int((now + LONGEST).timestamp()),
            }
        )

    def owner(self, connection_id: str) -> str | None:
        """Return whose a connection is; None when it has ended."""
        key = {"connection_id": connection_id}
        item = self._table.get_item(Key=key, ConsistentRead=True).get("Item")
        return str(item["owner"]) if item else None

    def show(self, connection_id: str) -> bool:
        """Let an open connection receive its user's notifications; return whether it still exists.

        One that ended meanwhile stays away.
        """
        try:
            self._table.update_item(
                Key={"connection_id": connection_id},
                UpdateExpression="SET user_id = #owner",
                ConditionExpression="attribute_exists(connection_id)",
                ExpressionAttributeNames={"#owner": "owner"},  # a reserved word
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
        answer = self._table.query(
            IndexName=USER_INDEX,
            KeyConditionExpression="user_id = :user",
            ExpressionAttributeValues={":user": user_id},
            ProjectionExpression="connection_id",
        )
        return any(item["connection_id"] == connection_id for item in answer["Items"])

    def remove(self, connection_id: str) -> None:
        """Forget a connection that has ended."""
        self._table.delete_item(Key={"connection_id": connection_id})
