"""The dispatcher is nudged if something has been due for a minute; its delay is measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Housekeeping, add_notification
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Store

PENDING = "scheduler_oldest_pending_notification_seconds"
UNPUBLISHED = "scheduler_oldest_unpublished_event_seconds"


def add_event(store: Store, created: datetime, published: datetime | None = None) -> None:
    at = f"'{to_sql(published)}'" if published else "NULL"
    store.run(
        "INSERT INTO outgoing_events SET routing_key = 'device.released', body = '{}',"
        f" created_at = '{to_sql(created)}', published_at = {at}"
    )


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {name: value for line in lines for name, value in line.items()}


def test_without_a_backlog_the_dispatcher_is_not_nudged(
    store: Store, housekeeping: Housekeeping, capsys: pytest.CaptureFixture[str]
) -> None:
    add_notification(store, "sent", NOW - 60 * MINUTE, status="sent")
    add_event(store, NOW - 60 * MINUTE, published=NOW - 59 * MINUTE)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (0, 0)

    metrics = measured(capsys)
    assert (metrics[PENDING], metrics[UNPUBLISHED]) == (0, 0)


@pytest.mark.parametrize("channel", ["websocket", "email", "sms"])
def test_the_dispatcher_is_nudged_for_a_delivery_due_for_a_minute(
    channel: str, store: Store, housekeeping: Housekeeping, capsys: pytest.CaptureFixture[str]
) -> None:
    add_notification(store, "n", NOW - 3 * MINUTE, channel=channel, due=NOW - MINUTE)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (1, 1)

    assert measured(capsys)[PENDING] == 180


def test_the_dispatcher_is_nudged_for_a_delivery_with_an_expired_claim(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_notification(store, "n", NOW - 3 * MINUTE, claimed_until=NOW)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (1, 1)


def test_the_dispatcher_is_not_nudged_for_a_claimed_delivery(
    store: Store, housekeeping: Housekeeping
) -> None:
    add_notification(store, "n", NOW - 3 * MINUTE, claimed_until=NOW + SECOND)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (0, 0)


def test_a_delivery_held_by_quiet_hours_has_no_age(
    store: Store, housekeeping: Housekeeping, capsys: pytest.CaptureFixture[str]
) -> None:
    add_notification(store, "n", NOW - 300 * MINUTE, channel="email", due=NOW + 60 * MINUTE)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (0, 0)
    assert measured(capsys)[PENDING] == 0


def test_a_delivery_that_waits_for_a_retry_has_an_age_but_needs_no_nudge(
    store: Store, housekeeping: Housekeeping, capsys: pytest.CaptureFixture[str]
) -> None:
    add_notification(store, "n", NOW - 7 * MINUTE, channel="email", due=NOW + MINUTE, attempts=3)

    assert (housekeeping.run("sweep"), housekeeping.nudges) == (0, 0)
    assert measured(capsys)[PENDING] == 420


def test_the_dispatcher_is_nudged_for_an_event_unpublished_for_a_minute(
    store: Store, housekeeping: Housekeeping, capsys: pytest.CaptureFixture[str]
) -> None:
    add_event(store, NOW - 59 * SECOND)
    assert housekeeping.run("sweep") == 0

    assert housekeeping.after(SECOND).run("sweep") == 1
    assert measured(capsys)[UNPUBLISHED] == 60
