"""The counter of failed payments on DynamoDB, and the one in memory that other tests use."""

from datetime import datetime
from typing import Protocol, cast

import pytest

from local.environment import aws_environment
from local.servers.moto import Moto
from local.template import function_variable
from scheduler.payments.counter import PaymentFailures, payment_failures
from scheduler.settings import PaymentSettings
from tests.support.counter import FakeCounter

TABLE = "PAYMENT_FAILURES_TABLE"


class Readable(Protocol):
    """A counter of failed payments that can be asked."""

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None: ...
    def reset(self, user_id: str, at: datetime, now: datetime) -> None: ...
    def current(self, user_id: str, now: datetime) -> int: ...


@pytest.fixture(scope="session")
def _dynamodb(moto: Moto) -> PaymentFailures:
    with pytest.MonkeyPatch.context() as patch:
        for name, value in aws_environment(moto.url).items():
            patch.setenv(name, value)
        return payment_failures(PaymentSettings.model_validate({TABLE: function_variable(TABLE)}))


@pytest.fixture
def dynamodb(_dynamodb: PaymentFailures, aws_url: str) -> PaymentFailures:
    """The product's counter on an empty table."""
    assert aws_url
    return _dynamodb


@pytest.fixture(params=["dynamodb", "in memory"])
def counter(request: pytest.FixtureRequest) -> Readable:
    """Both counters in turn: one suite describes them."""
    if request.param == "dynamodb":
        return cast("Readable", request.getfixturevalue("dynamodb"))
    return FakeCounter()
