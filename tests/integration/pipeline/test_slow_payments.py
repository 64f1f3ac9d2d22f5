"""A DynamoDB that takes a second to answer delays payments, and fails no invocation."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.events import message, mq_event
from tests.support.functions import Functions
from tests.support.slow_counter import SlowCounter
from tests.support.world import NOW, held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.queues import Queues
    from tests.support.store import Store

CONTEXT: Final = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)
MESSAGES: Final = 100


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> SlowCounter:
    return SlowCounter(monkeypatch)


@pytest.fixture
def functions(database_url: str, broker_url: str, slow: SlowCounter) -> Iterator[Functions]:
    with Functions(database_url, broker_url, counter=slow) as made:
        yield made


def test_failures_of_one_user_that_take_too_long_are_parked(
    store: Store, functions: Functions, slow: SlowCounter, queues: Queues
) -> None:
    store.seed(world(held("d1", by="u1")))
    batch = [message("billing.payment_failed", userId="u1") for _ in range(MESSAGES)]

    totals = functions.invoke("billing", mq_event(*batch), CONTEXT)

    counted = slow.current("u1", NOW)
    assert totals == {"success": counted, "retried": MESSAGES - counted}
    assert 0 < counted < MESSAGES
    waiting = queues.take("scheduler.billing-payment-failed.retry")
    assert {one.headers["x-attempt"] for one in waiting} == {0}


@pytest.mark.parametrize("event_type", ["billing.payment_success", "billing.recharged"])
def test_hundred_payments_of_one_user_are_applied_in_one_invocation(
    event_type: str, store: Store, functions: Functions, slow: SlowCounter
) -> None:
    store.seed(world(held("d1", by="u1")))
    batch = [message(event_type, userId="u1") for _ in range(MESSAGES)]

    assert functions.invoke("billing", mq_event(*batch), CONTEXT) == {"success": MESSAGES}
    assert len(slow.resets) == 1
