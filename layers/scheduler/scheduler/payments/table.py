"""The table of failed payments: its calls, and what their errors mean."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from scheduler.payments.errors import CountRefusedError, PaymentsUnavailableError
from scheduler.payments.item import key, plain

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from types_boto3_dynamodb import DynamoDBClient

    from scheduler.payments.item import Item, Values, Write
    from scheduler.payments.together import Planned

_INNOCENT: Final = "None"
"""The reason given for a write that did not cancel its transaction."""


class FailureTable:
    """Reads and writes items. May be shared by threads.

    Every method raises `PaymentsUnavailableError` when DynamoDB is away, throttles or denies
    access. What counts raises `CountRefusedError` when something is wrong with the request.
    """

    def __init__(self, client: DynamoDBClient, name: str) -> None:
        self._client = client
        self._name = name

    def get(self, user_id: str) -> Item:
        """Return a user's item, {} if there is none."""
        try:
            answer = self._client.get_item(
                TableName=self._name, Key=key(user_id), ConsistentRead=True
            )
        except (BotoCoreError, ClientError) as error:
            raise PaymentsUnavailableError(str(error)) from error
        return plain(answer.get("Item", {}))

    def get_many(self, user_ids: Sequence[str]) -> dict[str, Values]:
        """Return the items of at most 100 users in DynamoDB's notation, {} for who has none.

        Who could not be read this time is missing.
        """
        keys = [key(user_id) for user_id in user_ids]
        with _translated():
            answer = self._client.batch_get_item(
                RequestItems={self._name: {"Keys": keys, "ConsistentRead": True}}
            )
        unread = answer["UnprocessedKeys"].get(self._name, {"Keys": []})["Keys"]
        found: list[Any] = answer["Responses"].get(self._name, [])
        items = {item["user_id"]["S"]: item for item in found}
        missed = {plain(one)["user_id"] for one in unread}
        return {user_id: items.get(user_id, {}) for user_id in user_ids if user_id not in missed}

    def update(self, user_id: str, write: Write, values: Values) -> tuple[bool, Item]:
        """Return (True, new item), or (False, the item that failed the condition)."""
        with _translated():
            try:
                answer = self._client.update_item(
                    TableName=self._name,
                    Key=key(user_id),
                    UpdateExpression=write.update,
                    ConditionExpression=write.condition,
                    ExpressionAttributeValues=write.used(values),
                    ReturnValues="ALL_NEW",
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
            except ClientError as error:
                if _code(error) != "ConditionalCheckFailedException":
                    raise
                return False, plain(_detail(error, "Item", {}))
        return True, plain(answer["Attributes"])

    def transact(self, writes: Sequence[Planned]) -> tuple[bool, Sequence[Planned]]:
        """Make all writes, of at most 100 users, or none.

        Returns:
            (True, the writes), or (False, those that others kept from being made).
        """
        items: Any = [{"Put": {"TableName": self._name, **one.put}} for one in writes]
        with _translated():
            try:
                self._client.transact_write_items(TransactItems=items)
            except ClientError as error:
                if _code(error) != "TransactionCanceledException":
                    raise
                reasons = _detail(error, "CancellationReasons", ())
                pairs = zip(writes, reasons, strict=False)
                return False, [one for one, reason in pairs if reason.get("Code") == _INNOCENT]
        return True, writes


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if _code(error) == "ValidationException":
            raise CountRefusedError(str(error)) from error
        raise PaymentsUnavailableError(str(error)) from error
    except BotoCoreError as error:
        raise PaymentsUnavailableError(str(error)) from error


def _code(error: ClientError) -> str:
    return error.response["Error"]["Code"]


def _detail(error: ClientError, name: str, otherwise: object) -> Any:  # noqa: ANN401 - any of them
    response: Mapping[str, Any] = dict(error.response)
    return response.get(name, otherwise)
