"""The counter on DynamoDB: its item, concurrent writers, and errors."""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import count
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.payments.counter import PaymentFailures, payment_failures
from scheduler.payments.failure import (
    CountPostponedError,
    CountRefusedError,
    PaymentsUnavailableError,
)
from scheduler.settings import PaymentSettings
from tests.integration.payments.conftest import TTL, counter_with
from tests.support.counter import FakeCounter
from tests.support.together import together
from tests.support.world import MINUTE, NOW

_users = count()


def item(counter: PaymentFailures) -> dict[str, Any]:
    return counter._table.get("u1")


def test_item_has_the_documented_attributes(dynamodb: PaymentFailures) -> None:
    dynamodb.count("u1", "a", NOW - MINUTE, NOW)
    dynamodb.count("u1", "b", NOW - 2 * MINUTE, NOW)

    assert item(dynamodb) == {
        "user_id": "u1",
        "failure_count": 2,
        "message_ids": {"a", "b"},
        "failures": {"2026-03-01T11:59:00.000000Z a", "2026-03-01T11:58:00.000000Z b"},
        "last_failure_at": "2026-03-01T11:59:00.000000Z",
        "expires_at": int((NOW + TTL).timestamp()),
    }


def test_reset_leaves_a_marker_that_expires(dynamodb: PaymentFailures) -> None:
    dynamodb.count("u1", "a", NOW - MINUTE, NOW)
    dynamodb.reset("u1", NOW, NOW + MINUTE)

    assert item(dynamodb) == {
        "user_id": "u1",
        "failure_count": 0,
        "last_reset_at": "2026-03-01T12:00:00.000000Z",
        "expires_at": int((NOW + MINUTE + TTL).timestamp()),
    }


# -- concurrent writers --


def counting(
    counter: PaymentFailures, id_: str, at: datetime, now: datetime = NOW
) -> Callable[[], int | None]:
    return lambda: counter.count("u1", id_, at, now)


@pytest.mark.parametrize("spread", [timedelta(0), MINUTE, -MINUTE])
def test_concurrent_failures_are_all_counted(dynamodb: PaymentFailures, spread: timedelta) -> None:
    writers = [counting(dynamodb, str(n), NOW + n * spread) for n in range(8)]

    counts = together(*writers)

    assert sorted(filter(None, counts)) == list(range(1, 9))
    assert dynamodb.current("u1", NOW) == 8


def test_same_failure_counted_concurrently_counts_once(
    dynamodb: PaymentFailures,
) -> None:
    assert together(*[counting(dynamodb, "same", NOW)] * 8) == [1] * 8


def test_concurrent_writers_restart_an_expired_count_once(
    dynamodb: PaymentFailures,
) -> None:
    for id_ in "abc":
        dynamodb.count("u1", id_, NOW, NOW)
    later = NOW + TTL

    together(*(counting(dynamodb, str(n), later, later) for n in range(6)))

    assert dynamodb.current("u1", later) == 6
    assert item(dynamodb)["message_ids"] == set("012345")


def test_concurrent_reset_keeps_only_newer_failures(dynamodb: PaymentFailures) -> None:
    """In any order of the writes, a failure older than the reset does not count in the end."""
    older = [counting(dynamodb, f"old {n}", NOW - MINUTE) for n in range(4)]

    together(*older, lambda: dynamodb.reset("u1", NOW, NOW))

    assert dynamodb.current("u1", NOW) == 0
    assert dynamodb.count("u1", "new", NOW + MINUTE, NOW) == 1


# -- compared with the fake --

steps = st.one_of(
    st.tuples(st.just("count"), st.sampled_from("abcd"), st.integers(0, 4)),
    st.tuples(st.just("reset"), st.just(""), st.integers(0, 4)),
    st.tuples(st.just("wait"), st.just(""), st.integers(1, 8)),
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(steps, max_size=12))
def test_any_history_gives_the_same_counts_as_the_fake(
    dynamodb: PaymentFailures, history: list[tuple[str, str, int]]
) -> None:
    model, now, user_id = FakeCounter(), NOW, f"u-{next(_users)}"

    for step, id_, amount in history:
        at = now + amount * MINUTE
        match step:
            case "count":
                expected = model.count(user_id, id_, at, now)
                assert dynamodb.count(user_id, id_, at, now) == expected
            case "reset":
                model.reset(user_id, at, now)
                dynamodb.reset(user_id, at, now)
            case _:
                now += timedelta(days=amount)
        assert dynamodb.current(user_id, now) == model.current(user_id, now)


# -- errors --


def test_unreachable_dynamodb_raises_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"):
        monkeypatch.setenv(name, "x")
    counter = payment_failures(
        PaymentSettings.model_validate({"PAYMENT_FAILURES_TABLE": "payment-failures"})
    )

    with pytest.raises(PaymentsUnavailableError):
        counter.count("u1", "a", NOW, NOW)
    with pytest.raises(PaymentsUnavailableError):
        counter.reset("u1", NOW, NOW)
    with pytest.raises(PaymentsUnavailableError):
        counter.current("u1", NOW)


class FailingClient:
    """A client whose calls fail with an error code."""

    def __init__(self, code: str) -> None:
        self._code = code

    def update_item(self, **_: object) -> None:
        raise ClientError({"Error": {"Code": self._code, "Message": "m"}}, "UpdateItem")

    get_item = update_item


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ValidationException", CountRefusedError),
        ("ProvisionedThroughputExceededException", CountPostponedError),
        ("ThrottlingException", CountPostponedError),
        ("AccessDeniedException", CountPostponedError),
        ("ResourceNotFoundException", CountPostponedError),
        ("InternalServerError", CountPostponedError),
        ("CodeOfTomorrow", CountPostponedError),
    ],
)
def test_only_a_rejected_request_is_the_fault_of_the_message(
    code: str, error: type[Exception]
) -> None:
    counter = counter_with(FailingClient(code))

    with pytest.raises(error):
        counter.count("u1", "a", NOW, NOW)


def test_count_that_cannot_be_read_is_unavailable() -> None:
    counter = counter_with(FailingClient("ProvisionedThroughputExceededException"))

    with pytest.raises(PaymentsUnavailableError):
        counter.current("u1", NOW)


def test_write_is_postponed_after_repeated_conflicts() -> None:
    counter = counter_with(FailingClient("ConditionalCheckFailedException"))

    with pytest.raises(CountPostponedError, match="other writers"):
        counter.count("u1", "a", NOW, NOW)
