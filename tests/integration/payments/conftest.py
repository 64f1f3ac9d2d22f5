"""The counter of failed payments on DynamoDB, and the fake that other tests use."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol, cast

import pytest

from local import aws
from local.servers.moto import Moto
from local.template import function_variable
from scheduler.payments.counter import PaymentFailures
from scheduler.payments.failure import Failure
from scheduler.payments.table import FailureTable
from tests.support.counter import FakeCounter
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

TABLE = function_variable("PAYMENT_FAILURES_TABLE")
TTL = timedelta(days=7)


class ReadableCounter(Protocol):
    """A counter of failed payments whose counts can be read."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None: ...
    def count_together(
        self, failures: Sequence[Failure], now: datetime
    ) -> dict[str, int | None]: ...
    def reset(self, user_id: str, at: datetime, now: datetime) -> int: ...
    def current(self, user_id: str, now: datetime) -> int: ...


class WatchedClient:
    """A client that records its calls and runs a function just before a given one."""

    def __init__(self, client: Any, **before: Callable[[], object]) -> None:  # noqa: ANN401 - a client, or what acts as one
        self.calls: list[str] = []
        self._client = client
        self._before = before

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(**request: object) -> Any:  # noqa: ANN401 - what the client answers
            self.calls.append(name)
            self._before.pop(name, lambda: None)()
            return getattr(self._client, name)(**request)

        return call


def counter_with(client: Any) -> PaymentFailures:  # noqa: ANN401 - a client, or what acts as one
    """Return the real counter on a client."""
    return PaymentFailures(FailureTable(client, TABLE), TTL)


@pytest.fixture(scope="session")
def _client(moto: Moto) -> "DynamoDBClient":
    return cast("DynamoDBClient", aws.aws_client("dynamodb", moto.url))


@pytest.fixture
def client(_client: "DynamoDBClient", aws_url: str) -> "DynamoDBClient":
    """DynamoDB with an empty table."""
    assert aws_url
    return _client


@pytest.fixture
def dynamodb(client: "DynamoDBClient") -> PaymentFailures:
    """The real counter on an empty table."""
    return counter_with(client)


@pytest.fixture(params=["dynamodb", "in memory"])
def counter(request: pytest.FixtureRequest) -> ReadableCounter:
    """Each of the two counters in turn."""
    if request.param == "dynamodb":
        return cast("ReadableCounter", request.getfixturevalue("dynamodb"))
    return FakeCounter()


def failures(*user_ids: str, id_: str = "a", minute: int = 0) -> list[Failure]:
    return [Failure(user, id_, NOW + minute * MINUTE) for user in user_ids]
