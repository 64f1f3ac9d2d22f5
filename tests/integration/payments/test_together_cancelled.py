"""Transactions that DynamoDB cancels: their cause is left out, the other users are counted."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from scheduler.payments.failure import Failure, PaymentsUnavailableError
from tests.integration.payments.conftest import counter_with, failures
from tests.support.world import NOW


class CancellingClient:
    """An empty table whose first transactions are cancelled with the given reason codes."""

    def __init__(self, *cancelled: list[str], unread: tuple[str, ...] = ()) -> None:
        self.transactions: list[list[str]] = []
        self._cancelled = iter(cancelled)
        self._unread = unread

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - named by boto3
        (table,) = RequestItems
        keys = [{"user_id": {"S": user}} for user in self._unread]
        return {"Responses": {}, "UnprocessedKeys": {table: {"Keys": keys}} if keys else {}}

    def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: N803 - named by boto3
        self.transactions.append([one["Put"]["Item"]["user_id"]["S"] for one in TransactItems])
        if codes := next(self._cancelled, None):
            reasons = [{"Code": code} for code in codes]
            raise error("TransactionCanceledException", CancellationReasons=reasons)


def error(code: str, **detail: object) -> ClientError:
    response: Any = {"Error": {"Code": code, "Message": "m"}, **detail}
    return ClientError(response, "TransactWriteItems")


@pytest.mark.parametrize(
    "code",
    [
        "ConditionalCheckFailed",
        "TransactionConflict",
        "ThrottlingError",
        "ProvisionedThroughputExceeded",
        "ItemCollectionSizeLimitExceeded",
        "ValidationError",
    ],
)
def test_user_who_cancels_a_transaction_is_left_out_and_the_others_are_counted(code: str) -> None:
    client = CancellingClient(["None", code, "None"])

    counted = counter_with(client).count_together(
        [Failure(user, f"of {user}", NOW) for user in "abc"], NOW
    )

    assert counted == {"of a": 1, "of c": 1}
    assert client.transactions == [["a", "b", "c"], ["a", "c"]]


@pytest.mark.parametrize(
    ("cancelled", "transactions"),
    [
        ([["TransactionConflict"] * 2], 1),
        ([["None", "None"]] * 9, 3),
        ([[""]], 1),
    ],
    ids=["all users conflict", "no reason names a user", "no reasons are given"],
)
def test_transaction_gives_up_after_repeated_cancellations(
    cancelled: list[list[str]], transactions: int
) -> None:
    client = CancellingClient(*cancelled)

    assert counter_with(client).count_together(failures("a", "b"), NOW) == {}
    assert len(client.transactions) == transactions


def test_user_who_could_not_be_read_is_left_out() -> None:
    client = CancellingClient(unread=("b",))

    counter_with(client).count_together(failures("a", "b", "c"), NOW)

    assert client.transactions == [["a", "c"]]


class RejectingClient(CancellingClient):
    """A table whose transactions fail as a whole."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code

    def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: ARG002, N803 - named by boto3
        raise error(self._code)


def test_rejected_request_leaves_all_users_out() -> None:
    counter = counter_with(RejectingClient("ValidationException"))

    assert counter.count_together(failures("a", "b"), NOW) == {}


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "CodeOfTomorrow"])
def test_request_that_failed_leaves_all_users_to_be_counted_alone(code: str) -> None:
    counter = counter_with(RejectingClient(code))

    assert counter.count_together(failures("a", "b"), NOW) == {}


def test_dynamodb_that_does_not_answer_raises_unavailable() -> None:
    class SilentClient(CancellingClient):
        def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: ARG002, N803 - named by boto3
            raise ReadTimeoutError(endpoint_url="dynamodb")

    with pytest.raises(PaymentsUnavailableError):
        counter_with(SilentClient()).count_together(failures("a", "b"), NOW)
