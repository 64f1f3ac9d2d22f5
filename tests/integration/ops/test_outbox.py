"""``scheduler-ops outbox``: how late notifications are, and why."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.integration.ops.running import run

if TYPE_CHECKING:
    from tests.support.store import Store


@pytest.fixture
def outbox(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Outbox:
    monkeypatch.setenv("DATABASE_URL", database_url)
    return Outbox(store)


def shown() -> str:
    result = run("outbox")
    assert result.exit_code == 0, result.output
    return result.stdout


def test_events_wait_for_the_dispatcher_while_it_takes_nothing(
    outbox: Outbox, store: Store
) -> None:
    store.run(
        "INSERT INTO outgoing_events (routing_key, body, created_at)"
        " VALUES ('device.released', '{}', UTC_TIMESTAMP() - INTERVAL 10 MINUTE)"
    )
    without = shown()
    outbox.add(NewNotification(at=datetime.now(UTC) - timedelta(minutes=12)))

    assert "Next: events wait for the broker" in without
    assert shown().count("Next:") == 1
    assert "Next: the dispatcher takes nothing" in shown()


@pytest.mark.usefixtures("outbox")
def test_empty_outbox_needs_nothing() -> None:
    assert "Oldest unsent notification: none" in shown()
    assert "Next: nothing" in shown()


def test_answer_of_the_provider_and_next_step_are_shown(outbox: Outbox, store: Store) -> None:
    outbox.add(NewNotification(at=datetime.now(UTC) - timedelta(minutes=12)))
    store.run(
        "UPDATE notification_deliveries SET attempts = 2, last_error = 'Throttling: \x1b[2J',"
        " claimed_until = UTC_TIMESTAMP() + INTERVAL 1 HOUR WHERE channel = 'email'"
    )

    text = shown()

    assert "Oldest unsent notification: 12 min" in text
    assert "Throttling: \\x1b[2J" in text
    assert "Next: email is refused or slow, and tried again" in text
    assert "Next: the dispatcher takes nothing" in text  # of the other channels


def test_json_has_the_figures(outbox: Outbox) -> None:
    outbox.add(NewNotification())

    found = json.loads(run("outbox", "--json").stdout)

    assert found["channels"]["sms"]["pending"] == 1
    assert found["dispatcherIsLate"] is True
