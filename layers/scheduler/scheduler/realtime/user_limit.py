"""Limits how many items each user has in a DynamoDB table, however many are added at once.

The limit is an item of its own, in the same table::

    <key> = "user:<id>", open_items (the keys of the user's items), expires_at

One conditional update decides. Nothing is removed when an item ends: when the set is full, the keys
whose items no longer exist are taken out of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from scheduler.aws_errors import code_of

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

_CONDITION_FAILED: Final = "ConditionalCheckFailedException"


class UserLimit:
    """The limit of a table whose items have an ``expires_at``. Thread-safe.

    Args:
        dynamodb: the client.
        table: its name.
        key: the name of the table's key.
        maximum: how many items a user may have; at most 100, which are read in one request.
    """

    def __init__(self, dynamodb: DynamoDBClient, table: str, key: str, maximum: int) -> None:
        self._dynamodb = dynamodb
        self._table = table
        self._key = key
        self._maximum = maximum

    def admit(self, user_id: str, item_key: str, expires_at: int, now: datetime) -> bool:
        """Count an item that is stored already; return False if the user has too many.

        Args:
            user_id: the user.
            item_key: the key of the item; it must exist, or it would be taken for one that ended.
            expires_at: Unix time of its expiry.
            now: the current time.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: DynamoDB is unavailable.
        """
        if self._add(user_id, item_key, expires_at):
            return True
        counted = self.counted(user_id)
        ended = counted - self._existing(counted, now)
        if not ended:
            return False
        self._remove(user_id, ended)
        return self._add(user_id, item_key, expires_at)

    def counted(self, user_id: str) -> set[str]:
        """Return the keys of the items that a user has, some of which may have ended."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key=self._limit_key(user_id), ConsistentRead=True
        )
        return _open_items(answer.get("Item"))

    def forget(self, user_id: str) -> set[str]:
        """Delete the item that counts a user's items, and return the keys in it."""
        answer = self._dynamodb.delete_item(
            TableName=self._table, Key=self._limit_key(user_id), ReturnValues="ALL_OLD"
        )
        return _open_items(answer.get("Attributes"))

    def _add(self, user_id: str, item_key: str, expires_at: int) -> bool:
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key=self._limit_key(user_id),
                UpdateExpression="ADD open_items :item SET expires_at = :expires_at",
                ConditionExpression="attribute_not_exists(open_items)"
                " OR size(open_items) < :maximum",
                ExpressionAttributeValues={
                    ":item": {"SS": [item_key]},
                    ":expires_at": {"N": str(expires_at)},
                    ":maximum": {"N": str(self._maximum)},
                },
            )
        except ClientError as error:
            if code_of(error) == _CONDITION_FAILED:
                return False
            raise
        return True

    def _existing(self, keys: Collection[str], now: datetime) -> set[str]:
        """Return the keys of items that exist, or may exist."""
        if not keys:
            return set()
        wanted: Any = [{self._key: {"S": one}} for one in keys]
        answer = self._dynamodb.batch_get_item(
            RequestItems={self._table: {"Keys": wanted, "ConsistentRead": True}}
        )
        items = answer["Responses"].get(self._table, [])
        unread = answer["UnprocessedKeys"].get(self._table, {"Keys": []})["Keys"]
        alive = [one for one in items if int(one["expires_at"]["N"]) > now.timestamp()]
        found: list[Any] = [*alive, *unread]
        return {one[self._key]["S"] for one in found}

    def _remove(self, user_id: str, item_keys: Collection[str]) -> None:
        self._dynamodb.update_item(
            TableName=self._table,
            Key=self._limit_key(user_id),
            UpdateExpression="DELETE open_items :ended",
            ExpressionAttributeValues={":ended": {"SS": sorted(item_keys)}},
        )

    def _limit_key(self, user_id: str) -> Any:  # noqa: ANN401 - DynamoDB's notation
        return {self._key: {"S": limit_key(user_id)}}


def limit_key(user_id: str) -> str:
    """Return the key of the item that counts the items of a user."""
    return f"user:{user_id}"


def _open_items(item: Any) -> set[str]:  # noqa: ANN401 - DynamoDB's notation
    return set((item or {}).get("open_items", {}).get("SS", ()))
