"""The current release runs on the schema of the former one, and beside the former release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.message import ATTEMPT_HEADER
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.rolling.release import parked
from tests.integration.rolling.requests import use_all
from tests.integration.rolling.subjects import events
from tests.support.events import message
from tests.support.queues import Queues

if TYPE_CHECKING:
    from tests.integration.rolling.conftest import Schema
    from tests.integration.rolling.release import Release
    from tests.support.store import Store

FAILED = "billing.payment_failed"
REFUSE = """
    CREATE TRIGGER refuse BEFORE INSERT ON processed_messages FOR EACH ROW
    SIGNAL SQLSTATE '45000' SET MESSAGE_TEXT = 'refused'
"""
EFFECTS = {
    "messages": "SELECT COUNT(*) FROM processed_messages WHERE message_id LIKE 'm%%'",
    "releases": "SELECT COUNT(*) FROM allocations WHERE status = 'RELEASED'",
    "notifications": "SELECT COUNT(*) FROM notifications",
    "events": "SELECT COUNT(*) FROM outgoing_events",
}

either_order = pytest.mark.parametrize(
    ("first", "second"), [("former", "current"), ("current", "former")]
)


@pytest.fixture
def migrated(schema: Schema) -> Schema:
    """The schema of the current release."""
    schema.finish()
    return schema


def effects(store: Store) -> dict[str, int]:
    return {name: store.rows(query)[0][0] for name, query in EFFECTS.items()}


@pytest.mark.parametrize("last", ["current", "former"])
def test_messages_of_the_current_release_on_the_former_schema_are_applied_after_the_migrations(
    releases: dict[str, Release], last: str, schema: Schema, store: Store, broker_url: str
) -> None:
    """A deployment ends with the current release, a rollback with the former one."""
    arrived = [*events(), *events("-too")]
    none = effects(store)

    settled = releases["current"].consume(*arrived)
    again = parked(broker_url)

    assert settled.keys() <= {"retried", "success"}
    assert len(again) == settled["retried"]
    assert {one.headers[ATTEMPT_HEADER] for one in again} <= {0}
    assert again or effects(store) != none
    schema.finish()
    assert releases[last].consume(*again).keys() <= {"success", "outdated"}
    assert effects(store)["messages"] == len(arrived)
    assert Queues(broker_url).depth(DEAD_LETTER_QUEUE) == 0


@either_order
def test_message_that_one_release_has_applied_is_a_duplicate_for_the_other(
    releases: dict[str, Release], first: str, second: str, migrated: Schema, store: Store
) -> None:
    assert migrated
    releases[first].consume(*events())
    applied = effects(store)

    assert releases[second].consume(*events()) == {"duplicate": len(events())}
    assert effects(store) == applied


@either_order
def test_attempts_that_one_release_has_counted_are_continued_by_the_other(
    releases: dict[str, Release],
    first: str,
    second: str,
    migrated: Schema,
    store: Store,
    broker_url: str,
) -> None:
    assert migrated
    store.run(REFUSE)
    (failing,) = [message("user.suspended", userId="u1")]

    for attempt, name in enumerate((first, second, first), 1):
        assert releases[name].consume(failing) == {"retried": 1}
        (failing,) = parked(broker_url)
        assert failing.headers[ATTEMPT_HEADER] == attempt
    assert releases[second].consume(failing) == {"dead_lettered": 1}


@either_order
def test_failed_payments_are_counted_together(
    releases: dict[str, Release], first: str, second: str, migrated: Schema, store: Store
) -> None:
    assert migrated
    for number, name in enumerate((first, second, first)):
        assert store.rows("SELECT billing_hold FROM users WHERE id = 'u1'") == [(0,)]
        releases[name].consume(message(FAILED, id=f"p{number}", userId="u1"))

    assert store.rows("SELECT billing_hold FROM users WHERE id = 'u1'") == [(1,)]


@either_order
def test_notifications_and_events_of_one_release_are_sent_by_the_other(
    releases: dict[str, Release], first: str, second: str, migrated: Schema, store: Store
) -> None:
    assert migrated
    releases[first].consume(*events())
    written = effects(store)

    sent = releases[second].send_all(store)

    assert sent["published"] == written["events"]
    assert store.rows("SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'") == [
        (0,)
    ]
    assert releases[first].invoke("notification_dispatch", {}) == {"published": 0}


@either_order
def test_what_a_user_began_with_one_release_is_continued_with_the_other(
    releases: dict[str, Release], first: str, second: str, migrated: Schema
) -> None:
    assert migrated
    assert max(use_all(releases[first], releases[second])) < 300
