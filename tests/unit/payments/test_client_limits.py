"""How long a DynamoDB that hangs may hold up an invocation, and how many threads may ask it."""

from __future__ import annotations

from typing import Any, Final

import pytest

from local.template import deployed_function
from scheduler.payments import ledger
from scheduler.payments.counter import payment_failures
from scheduler.settings import PaymentSettings

SETTINGS: Final = PaymentSettings.model_validate({"PAYMENT_FAILURES_TABLE": "payment-failures"})


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ANN401 - botocore has no public type
    """The configuration of the client that the functions use."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "x")
    counter: Any = payment_failures(SETTINGS)
    return counter._table._client.meta.config


def test_a_call_that_hangs_leaves_most_of_the_invocation_to_the_others(config: Any) -> None:  # noqa: ANN401 - as above
    attempts = config.retries["total_max_attempts"]

    longest = attempts * (config.connect_timeout + config.read_timeout)

    assert longest < deployed_function("billing-events")["Timeout"] / 4


def test_no_thread_waits_for_the_connection_of_another(config: Any) -> None:  # noqa: ANN401 - as above
    assert config.max_pool_connections >= ledger._THREADS
