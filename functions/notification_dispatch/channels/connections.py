"""Who is connected: the table that the WebSocket's $connect and $disconnect keep."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

from notification_dispatch.channels import provider
from scheduler.realtime.connections import USER_INDEX

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


class Connections:
    """The DynamoDB table of open WebSockets; used by several threads at once."""

    def __init__(self, table: str, threads: int, clock: Callable[[], datetime]) -> None:
        self._table = table
        self._threads = threads
        self._clock = clock

    def of_user(self, user_id: str) -> list[str]:
        """Return the ids of a user's connections; an expired one counts as absent.

        DynamoDB deletes expired items days late.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: the table cannot be read.
        """
        answer = self._dynamodb.query(
            TableName=self._table,
            IndexName=USER_INDEX,
            KeyConditionExpression="user_id = :user",
            FilterExpression="expires_at > :now",
            ProjectionExpression="connection_id",
            ExpressionAttributeValues={
                ":user": {"S": user_id},
                ":now": {"N": str(int(self._clock().timestamp()))},
            },
        )
        return [item["connection_id"]["S"] for item in answer["Items"]]

    def forget(self, connection_id: str) -> None:
        """Delete a connection that is gone; should that fail, the next frame tries again."""
        key = {"connection_id": {"S": connection_id}}
        try:
            self._dynamodb.delete_item(TableName=self._table, Key=key)
        except provider.BOTO_ERRORS:
            return

    @cached_property
    def _dynamodb(self) -> Any:  # noqa: ANN401 - only used by its low-level calls
        return provider.client("dynamodb", self._threads)
