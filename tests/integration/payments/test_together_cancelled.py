"""Transactions that DynamoDB cancels or refuses: who is to blame is left out, the others count."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from scheduler.payments.failure import Failure, PaymentsUnavailableError
from tests.integration.payments.conftest import counter_with, failures
from tests.support.world import NOW


class Cancelling:
    """An empty table whose transactions are cancelled for reasons that are given, then made."""

    def __init__(self, *cancelled: list[str], unread: tuple[str, ...] = ()) -> None:
        self.transactions: list[list[str]] = []
        self._cancelled = iter(cancelled)
        self._unread = unread

    def batch_get_item(self, RequestItems: dict[str, Any]) -> dict[str, Any]:  # noqa: N803 - AWS's
        (table,) = RequestItems
        keys = [{"user_id": {"S": user}} for user in self._unread]
        return {"Responses": {}, "UnprocessedKeys": {table: {"Keys": keys}} if keys else {}}

    def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: N803 - AWS's
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
def test_who_cancels_a_transaction_is_left_out_and_the_others_are_counted(code: str) -> None:
    client = Cancelling(["None", code, "None"])

    answers = counter_with(client).count_together(
        [Failure(user, f"of {user}", NOW) for user in "abc"], NOW
    )

    assert answers == {"of a": 1, "of c": 1}
    assert client.transactions == [["a", "b", "c"], ["a", "c"]]


@pytest.mark.parametrize(
    ("cancelled", "transactions"),
    [
        ([["TransactionConflict"] * 2], 1),
        ([["None", "None"]] * 9, 3),
        ([[""]], 1),
    ],
    ids=["everybody is to blame", "nobody is to blame", "no reasons are given"],
)
def test_a_transaction_that_cannot_be_made_is_given_up(
    cancelled: list[list[str]], transactions: int
) -> None:
    client = Cancelling(*cancelled)

    assert counter_with(client).count_together(failures("a", "b"), NOW) == {}
    assert len(client.transactions) == transactions


def test_who_could_not_be_read_is_left_out() -> None:
    client = Cancelling(unread=("b",))

    counter_with(client).count_together(failures("a", "b", "c"), NOW)

    assert client.transactions == [["a", "c"]]


class Failing(Cancelling):
    """A table whose transactions end with an error."""

    def __init__(self, code: str) -> None:
        super().__init__()
        self._code = code

    def transact_write_items(self, TransactItems: list[Any]) -> None:  # noqa: ARG002, N803 - AWS's
        raise error(self._code)


def test_a_request_that_is_refused_as_a_whole_leaves_everybody_out() -> None:
    assert (
        counter_with(Failing("ValidationException")).count_together(failures("a", "b"), NOW) == {}
    )


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException"])
def test_an_absent_dynamodb_is_nobodys_failure(code: str) -> None:
    with pytest.raises(PaymentsUnavailableError):
        counter_with(Failing(code)).count_together(failures("a", "b"), NOW)
