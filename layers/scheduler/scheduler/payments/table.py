"""The DynamoDB table of failed payments: its calls and the translation of their errors."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from scheduler.aws_errors import DYNAMODB, ErrorClass, classify, code_of
from scheduler.payments.failure import (
    CountPostponedError,
    CountRefusedError,
    PaymentsUnavailableError,
)
from scheduler.payments.notation import key, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from scheduler.payments.item import CountedUser, Write
    from scheduler.payments.notation import Item, Values

_NO_REASON: Final = "None"
"""Code of the cancellation reason of a write that did not cause its transaction to fail."""


class FailureTable:
    """Reads and writes items. Thread-safe.

    Every method raises `PaymentsUnavailableError` when DynamoDB does not answer. All but `get`
    raise its subclass `CountPostponedError` when it throttles, denies access or fails, and
    `CountRefusedError` when it rejects the request.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, user_id: str) -> Item:
        """Return a user's item, or {} if there is none."""
        try:
            response = self._client.get_item(
                TableName=self._name, Key=key(user_id), ConsistentRead=True
            )
        except (BotoCoreError, ClientError) as error:
            raise PaymentsUnavailableError(str(error)) from error
        return plain(response.get("Item", {}))

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Values]:
        """Return the items of at most `MAX_TOGETHER` users, in DynamoDB's notation.

        Users without an item have {}. Users whose item DynamoDB left unprocessed are missing.
        """
        keys = [key(user_id) for user_id in user_ids]
        with _translated():
            response = self._client.batch_get_item(
                RequestItems={self._name: {"Keys": keys, "ConsistentRead": True}}
            )
        unread = response["UnprocessedKeys"].get(self._name, {"Keys": []})["Keys"]
        found: list[Any] = response["Responses"].get(self._name, [])
        items = {item["user_id"]["S"]: item for item in found}
        missing = {plain(one)["user_id"] for one in unread}
        return {user_id: items.get(user_id, {}) for user_id in user_ids if user_id not in missing}

    def update(self, user_id: str, write: Write, values: Values) -> tuple[bool, Item]:
        """Return (True, new item), or (False, the item that failed the condition)."""
        with _translated():
            try:
                response = self._client.update_item(
                    TableName=self._name,
                    Key=key(user_id),
                    UpdateExpression=write.update,
                    ConditionExpression=write.condition,
                    ExpressionAttributeValues=write.used(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if code_of(error) != "ConditionalCheckFailedException":
                    raise
                return False, plain(_detail(error, "Item", {}))
        return True, plain(response["Attributes"])

    def transact(self, users: Sequence[CountedUser]) -> tuple[bool, Sequence[CountedUser]]:
        """Make the puts of at most `MAX_TOGETHER` users, all or none.

        Returns:
            (True, the users), or (False, those whose own condition did not fail).
        """
        items: Any = [{"Put": {"TableName": self._name, **(one.put or {})}} for one in users]
        with _translated():
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if code_of(error) != "TransactionCanceledException":
                    raise
                reasons = _detail(error, "CancellationReasons", ())
                pairs = zip(users, reasons, strict=False)
                return False, [one for one, reason in pairs if reason.get("Code") == _NO_REASON]
        return True, users


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BotoCoreError, ClientError) as error:
        match classify(error, DYNAMODB):
            case ErrorClass.PERMANENT:
                raise CountRefusedError(str(error)) from error
            case _ if isinstance(error, ClientError):  # perhaps of one partition or item only
                raise CountPostponedError(str(error)) from error
            case _:
                raise PaymentsUnavailableError(str(error)) from error


def _detail(error: ClientError, name: str, default: object) -> Any:  # noqa: ANN401 - a field of any type
    response: Mapping[str, Any] = dict(error.response)
    return response.get(name, default)
