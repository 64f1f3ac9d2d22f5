"""The operation behind the console's first page: every server, each with its own answer."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.template import function_variable
from operations import catalogue
from operations.context import OperationContext
from operations.overview import at_the_same_time, per_minute
from ops.local_platform import payments
from scheduler.database.activity import MAX_ROWS, Happening
from scheduler.ids import uuid7
from tests.support.events import encoded, message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.support.store import Store

NOWHERE = "amqp://guest:guest@127.0.0.1:1/nowhere"


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine needs seconds to import what the servers' clients need."""
    monkeypatch.setattr("operations.overview.PART_SECONDS", 60)


def context(database_url: str, broker_url: str = NOWHERE, aws_url: str = "") -> OperationContext:
    name = function_variable("PAYMENT_FAILURES_TABLE")
    table = {"aws": aws_url, "payment_failures_table": name} if aws_url else {}
    return OperationContext(
        lambda: broker_url, lambda: database_url, payments=lambda: payments(table)
    )


def overview(found: OperationContext) -> dict[str, Any]:
    return catalogue.run("overview", {}, replace(found, now=datetime.now(UTC)))


def test_every_server_answers(database_url: str, broker_url: str, aws_url: str) -> None:
    found = overview(context(database_url, broker_url, aws_url))

    assert [found[part].get("error") for part in ("database", "broker", "dynamodb")] == [None] * 3
    assert found["database"]["brake"]["brake"] == "armed"
    assert found["broker"]["queues"]["scheduler.device-failed"]["ready"] == 0


def test_a_server_that_is_away_is_named_and_the_others_answer(
    store: Store, database_url: str
) -> None:
    assert store
    found = overview(context(database_url))

    assert "cannot reach the broker" in found["broker"]["error"]
    assert "failed payments" in found["dynamodb"]["error"]
    assert found["database"]["outbox"]["oldestNotificationSeconds"] == 0


def test_a_server_that_hangs_does_not_delay_the_others() -> None:
    hang = threading.Event()

    found = at_the_same_time(
        {"hangs": lambda: {"waited": hang.wait()}, "answers": lambda: {"is": "there"}}, 0.2
    )
    hang.set()

    assert found["hangs"] == {"error": "no answer within 0.2 s"}
    assert found["answers"]["is"] == "there"


def test_messages_of_the_last_minute_are_counted_by_outcome(
    store: Store, database_url: str, broker_url: str
) -> None:
    store.seed(world(held("d1", by="u1"), held("d2", by="u1")))
    with Functions(database_url, broker_url, clock=lambda: datetime.now(UTC)) as functions:
        first = message("device.failed", id="m-1", deviceId="d1", reason="It is dark")
        functions.handle(first, message("device.failed", id="m-2", deviceId="d2", reason="x"))
        functions.handle(first, message("device.failed", id="m-3", body=encoded({})))

    found = overview(context(database_url))["database"]

    outcomes = {"applied": 2, "duplicate": 1, "dead_lettered": 1}
    assert found["outcomesPerMinute"] == {"scheduler.device-failed": outcomes}
    assert found["changesPerMinute"] == {"released": 2}
    assert found["deliveries"]["websocket"]["statuses"] == {"pending": 2}
    assert found["brake"]["releasedLately"] == 0  # these functions have no brake


def test_delays_are_those_of_notifications_of_the_last_minutes(
    store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    old = ("00000000-0000-7000-8000-000000000001", now - timedelta(days=1), now)
    rows = [(uuid7(), now - timedelta(seconds=n), now) for n in range(1, 101)]
    store.insert(
        "notifications",
        "id, user_id, type, title, message, data, dedupe_key, created_at",
        [(id_, "u", "t", "t", "m", "{}", id_, at) for id_, at, _ in rows],
    )
    store.insert(
        "notification_deliveries",
        "notification_id, channel, status, next_attempt_at, sent_at",
        [(id_, "email", "sent", at, sent) for id_, at, sent in [*rows, old]],
    )

    found = overview(context(database_url))["database"]["deliveries"]

    assert found["email"]["statuses"] == {"sent": 100}
    assert found["email"]["delaySeconds"] == {"p50": 50.0, "p99": 99.0}


def test_more_messages_than_are_read_are_estimated() -> None:
    now = datetime.now(UTC)
    newest = [
        Happening("q", "applied", now - timedelta(seconds=15 * n / MAX_ROWS))
        for n in range(MAX_ROWS)
    ]

    assert per_minute(newest[:10], now) == {("q", "applied"): 10}
    assert per_minute(newest, now)[("q", "applied")] == pytest.approx(4 * MAX_ROWS, rel=0.01)
