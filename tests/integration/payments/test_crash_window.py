"""Crashes between the count (DynamoDB) and the release (MariaDB)."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from scheduler.messaging.message import Message
from scheduler.payments.counter import PaymentFailures
from scheduler.payments.failure import Failure
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.store import Store
from tests.support.world import MINUTE, NOW, held, user, world


class Crash(BaseException):
    """The process dies; a BaseException, because no `except Exception` may catch it."""


class CrashingAfter:
    """A counter whose process dies after a number of writes."""

    def __init__(self, counter: PaymentFailures, writes: int) -> None:
        self._counter = counter
        self._left = writes

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        count = self._counter.count(user_id, message_id, at, now)
        self._written()
        return count

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        counts = self._counter.count_together(failures, now)
        self._written()
        return counts

    def reset(self, user_id: str, at: datetime, now: datetime) -> int:
        left = self._counter.reset(user_id, at, now)
        self._written()
        return left

    def _written(self) -> None:
        self._left -= 1
        if self._left <= 0:
            raise Crash


def crash(store: Store, url: str, counter: Any, *sent: Message) -> None:  # noqa: ANN401 - real or fake
    before = store.state()
    with Functions(url, counter=counter) as functions, pytest.raises(Crash):
        functions.handle(*sent)
    assert store.state() == before


def redeliver(url: str, counter: PaymentFailures, *sent: Message) -> None:
    """Deliver the batch to a new process."""
    with Functions(url, counter=counter) as functions:
        assert functions.handle(*sent) == {"success": len(sent)}


def types(store: Store) -> list[str]:
    return sorted(row.type for row in store.state()["notifications"])


def test_redelivery_after_a_crash_releases_without_counting_again(
    dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    store.seed(world(held("d1"), held("d2")))
    for id_ in ("first", "second"):
        dynamodb.count("u1", id_, NOW, NOW)
    sent = message("billing.payment_failed", id="third")

    crash(store, database_url, CrashingAfter(dynamodb, 1), sent)
    assert dynamodb.current("u1", NOW) == 3
    redeliver(database_url, dynamodb, sent)

    assert dynamodb.current("u1", NOW) == 3
    state = store.state()
    assert {row.status for row in state["allocations"]} == {"RELEASED"}
    assert state["users"][0].billing_hold == 1
    assert types(store) == ["device_released", "device_released", "service_suspended"]


@pytest.mark.parametrize("writes", [1, 2, 3])
def test_crash_within_a_batch_does_not_change_the_notifications(
    writes: int, dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    store.seed(world(held("d1")))
    sent = [message("billing.payment_failed") for _ in range(3)]

    crash(store, database_url, CrashingAfter(dynamodb, writes), *sent)
    redeliver(database_url, dynamodb, *sent)

    assert dynamodb.current("u1", NOW) == 3
    assert types(store) == [
        "billing_alert",
        "billing_alert",
        "device_released",
        "service_suspended",
    ]


def test_crash_after_counting_together_does_not_change_the_notifications(
    dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    users = [f"u{n}" for n in range(10)]
    store.seed(world(*map(user, users)))
    for id_ in ("first", "second"):
        dynamodb.count("u0", id_, NOW, NOW)
    sent = [message("billing.payment_failed", userId=id_) for id_ in users]

    crash(store, database_url, CrashingAfter(dynamodb, 1), *sent)
    redeliver(database_url, dynamodb, *sent)

    assert [dynamodb.current(id_, NOW) for id_ in users] == [3] + 9 * [1]
    assert types(store) == 9 * ["billing_alert"] + ["service_suspended"]


def test_redelivered_reset_keeps_later_failures(
    dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    dynamodb.count("u1", "before", NOW - MINUTE, NOW)
    paid = message("billing.payment_success", at=NOW)

    crash(store, database_url, CrashingAfter(dynamodb, 1), paid)
    dynamodb.count("u1", "since", NOW + MINUTE, NOW)
    redeliver(database_url, dynamodb, paid)

    assert dynamodb.current("u1", NOW) == 1
    assert types(store) == ["billing_alert"]


def test_payment_outdated_within_its_batch_resets_nothing(
    dynamodb: PaymentFailures, database_url: str
) -> None:
    dynamodb.count("u1", "between", NOW - MINUTE, NOW)
    newest = message("billing.payment_success", at=NOW - 2 * MINUTE, version=2)
    overtaken = message("billing.payment_success", at=NOW, version=1)

    with Functions(database_url, counter=dynamodb) as functions:
        assert functions.handle(newest, overtaken) == {"success": 1, "outdated": 1}

    assert dynamodb.current("u1", NOW) == 1


def test_duplicate_does_not_reach_the_counter(
    dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    sent = message("billing.payment_failed")
    redeliver(database_url, dynamodb, sent)
    dynamodb.reset("u1", NOW + MINUTE, NOW)

    with Functions(database_url, counter=CrashingAfter(dynamodb, 1)) as functions:
        assert functions.handle(sent, sent) == {"duplicate": 2}

    assert types(store) == ["billing_alert"]


def test_failure_of_a_deleted_user_is_not_counted(
    dynamodb: PaymentFailures, store: Store, database_url: str
) -> None:
    with Functions(database_url, counter=dynamodb) as functions:
        functions.handle(message("user.deleted"))
        assert functions.handle(message("billing.payment_failed")) == {"outdated": 1}

    assert dynamodb.current("u1", NOW) == 0
    assert types(store) == []
