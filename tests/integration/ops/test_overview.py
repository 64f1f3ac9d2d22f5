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
from operations.overview import at_the_same_time
from operations.recently import per_minute
from ops.local_platform import payments
from scheduler.database.activity import MAX_ROWS, Happening
from scheduler.ids import uuid7
from scheduler.outbox.settled import MAX_DELAYS
from tests.support.events import encoded, message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Sequence

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


def test_unavailable_server_is_named_and_the_others_answer(store: Store, database_url: str) -> None:
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
    assert found["estimated"] == []
    assert found["outbox"]["channels"]["websocket"]["pending"] == 2
    assert found["brake"]["releasedLately"] == 0  # these functions have no brake


def insert_sent(store: Store, rows: Sequence[tuple[datetime, datetime]]) -> None:
    """Insert e-mails, given by when their notification was created and when they were sent."""
    named = [(uuid7(), *row) for row in rows]
    store.insert(
        "notifications",
        "id, user_id, type, title, message, data, dedupe_key, created_at",
        [(id_, "u", "t", "t", "m", "{}", id_, created) for id_, created, _ in named],
    )
    store.insert(
        "notification_deliveries",
        "notification_id, channel, status, next_attempt_at, sent_at",
        [(id_, "email", "sent", sent, sent) for id_, _, sent in named],
    )


def emails(database_url: str) -> dict[str, Any]:
    found: dict[str, Any] = overview(context(database_url))["database"]["deliveries"]["email"]
    return found


def test_delays_are_those_of_notifications_sent_in_the_last_minutes(
    store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    sent_before = now - timedelta(minutes=6)
    rows = [(now - timedelta(seconds=n), now) for n in range(1, 100)]
    late = (now - timedelta(minutes=12), now)
    insert_sent(store, [*rows, late, (sent_before - timedelta(days=1), sent_before)])

    found = emails(database_url)

    assert (found["statuses"], found["estimated"]) == ({"sent": 100}, [])
    assert found["delaySeconds"] == {"p50": 50.0, "p99": 99.0}
    assert found["delaysOf"] == 100


def test_only_notifications_that_are_late_look_late(store: Store, database_url: str) -> None:
    now = datetime.now(UTC)
    insert_sent(store, [(now - timedelta(minutes=12), now)])

    assert emails(database_url)["delaySeconds"] == {"p50": 720.0, "p99": 720.0}


def test_sent_notifications_are_counted_far_beyond_those_whose_delay_is_read(
    store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    insert_sent(store, [(now - timedelta(seconds=2), now - timedelta(seconds=1))] * 3_000)

    found = emails(database_url)

    assert (found["statuses"], found["estimated"]) == ({"sent": 3_000}, [])
    assert found["delaysOf"] == MAX_DELAYS


def test_settled_deliveries_are_counted_by_what_became_of_them(
    store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    store.insert(
        "notification_deliveries",
        "notification_id, channel, status, next_attempt_at",
        [(status, "email", status, now) for status in ("failed", "skipped")],
    )

    assert emails(database_url)["statuses"] == {"failed": 1, "skipped": 1}


def test_more_notifications_than_are_counted_are_estimated(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.outbox.settled.MAX_COUNTED", 2_000)
    now = datetime.now(UTC)
    sent = [now - timedelta(seconds=240 * n / 4_000) for n in range(4_000)]
    insert_sent(store, [(at, at) for at in sent])

    found = emails(database_url)

    assert found["estimated"] == ["sent"]
    assert found["statuses"]["sent"] == pytest.approx(5_000, rel=0.1)


def test_many_pending_deliveries_of_one_channel_do_not_hide_another(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scheduler.outbox.backlog.MAX_PENDING", 20)
    monkeypatch.setattr("operations.outbox.MAX_PENDING", 20)
    many = [(f"n-{n}", "websocket", datetime.now(UTC)) for n in range(30)]
    store.insert(
        "notification_deliveries",
        "notification_id, channel, next_attempt_at",
        [*many, ("n-1", "sms", datetime.now(UTC))],
    )

    found = overview(context(database_url))["database"]["outbox"]["channels"]

    assert {name: (one["pending"], one["more"]) for name, one in found.items()} == {
        "sms": (1, False),
        "websocket": (20, True),
    }


def test_more_messages_than_are_read_are_estimated() -> None:
    now = datetime.now(UTC)
    newest = [
        Happening("q", "applied", now - timedelta(seconds=15 * n / MAX_ROWS))
        for n in range(MAX_ROWS)
    ]

    assert per_minute(newest[:10], now) == {("q", "applied"): 10}
    assert per_minute(newest, now)[("q", "applied")] == pytest.approx(4 * MAX_ROWS, rel=0.01)
