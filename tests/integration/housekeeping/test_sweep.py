"""The dispatcher is nudged when something has been due for a minute, and its lag is measured."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database.times import to_sql
from tests.integration.housekeeping.conftest import Keeper, deliver
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.store import Store

PENDING = "scheduler_oldest_pending_notification_seconds"
UNPUBLISHED = "scheduler_oldest_unpublished_event_seconds"


def outgoing(store: Store, created: datetime, published: datetime | None = None) -> None:
    at = f"'{to_sql(published)}'" if published else "NULL"
    store.run(
        "INSERT INTO outgoing_events SET routing_key = 'device.released', body = '{}',"
        f" created_at = '{to_sql(created)}', published_at = {at}"
    )


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {name: value for line in lines for name, value in line.items()}


def test_nothing_to_do_needs_no_nudge(
    store: Store, keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(store, "sent", NOW - 60 * MINUTE, status="sent")
    outgoing(store, NOW - 60 * MINUTE, published=NOW - 59 * MINUTE)

    assert (keeper.run("sweep"), keeper.nudges) == (0, 0)

    metrics = measured(capsys)
    assert (metrics[PENDING], metrics[UNPUBLISHED]) == (0, 0)


@pytest.mark.parametrize("channel", ["websocket", "email", "sms"])
def test_a_delivery_that_was_due_a_minute_ago_gets_the_dispatcher_nudged(
    channel: str, store: Store, keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(store, "n", NOW - 3 * MINUTE, channel=channel, due=NOW - MINUTE)

    assert (keeper.run("sweep"), keeper.nudges) == (1, 1)

    assert measured(capsys)[PENDING] == 180


def test_a_delivery_whose_dispatcher_died_gets_another_one_nudged(
    store: Store, keeper: Keeper
) -> None:
    deliver(store, "n", NOW - 3 * MINUTE, claimed_until=NOW)

    assert (keeper.run("sweep"), keeper.nudges) == (1, 1)


def test_a_delivery_that_is_being_sent_is_left_alone(store: Store, keeper: Keeper) -> None:
    deliver(store, "n", NOW - 3 * MINUTE, claimed_until=NOW + SECOND)

    assert (keeper.run("sweep"), keeper.nudges) == (0, 0)


def test_what_waits_for_the_end_of_quiet_hours_is_not_old(
    store: Store, keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(store, "n", NOW - 300 * MINUTE, channel="email", due=NOW + 60 * MINUTE)

    assert (keeper.run("sweep"), keeper.nudges) == (0, 0)
    assert measured(capsys)[PENDING] == 0


def test_what_waits_for_its_next_attempt_is_old_but_needs_no_nudge(
    store: Store, keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    deliver(store, "n", NOW - 7 * MINUTE, channel="email", due=NOW + MINUTE, attempts=3)

    assert (keeper.run("sweep"), keeper.nudges) == (0, 0)
    assert measured(capsys)[PENDING] == 420


def test_an_event_left_unpublished_for_a_minute_gets_the_dispatcher_nudged(
    store: Store, keeper: Keeper, capsys: pytest.CaptureFixture[str]
) -> None:
    outgoing(store, NOW - 59 * SECOND)
    assert keeper.run("sweep") == 0

    assert keeper.after(SECOND).run("sweep") == 1
    assert measured(capsys)[UNPUBLISHED] == 60
