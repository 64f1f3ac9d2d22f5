"""A message that is replayed after its id was purged is recognised by its notification."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database.processed_messages import MESSAGES_KEPT
from scheduler.messaging.message import to_milliseconds
from tests.support.events import message
from tests.support.world import NOW, held, world

if TYPE_CHECKING:
    from scheduler.messaging.message import Message
    from tests.support.clock import Clock
    from tests.support.counter import FakeCounter
    from tests.support.functions import Functions
    from tests.support.store import Store

NOTIFYING: Final = (
    "user.suspended",
    "billing.balance_low",
    "billing.overdue",
    "billing.payment_failed",
    "billing.payment_success",
    "billing.recharged",
)
_OF_MESSAGE: Final = "%:scheduler.%"
"""Keys of notifications that a message caused, not the end of an allocation."""
FIRST_RECEIPT: Final = {"x-received-at": to_milliseconds(NOW)}


def replayed(event_type: str) -> Message:
    """Return the message as it comes from the dead letters, which keep its first receipt."""
    return message(event_type, id="m1", at=NOW, headers=FIRST_RECEIPT)


@pytest.mark.parametrize("event_type", NOTIFYING)
def test_message_replayed_after_its_id_was_purged_is_a_duplicate(
    event_type: str, store: Store, connected: Functions, counter: FakeCounter, clock: Clock
) -> None:
    store.seed(world(held("d1")))
    assert connected.handle(message(event_type, id="m1", at=NOW)) == {"success": 1}
    store.run("DELETE FROM processed_messages")
    before = store.state()
    clock.wait(MESSAGES_KEPT)

    assert connected.handle(replayed(event_type)) == {"duplicate": 1}

    assert store.state() == before
    assert counter.current("u1", clock()) == 0


def test_failed_payment_that_was_not_applied_counts_after_a_month(
    store: Store, connected: Functions, counter: FakeCounter, clock: Clock
) -> None:
    store.seed(world(held("d1")))
    clock.wait(MESSAGES_KEPT + timedelta(days=1))

    assert connected.handle(replayed("billing.payment_failed")) == {"success": 1}

    assert counter.current("u1", clock()) == 1
    assert len(store.state()["notifications"]) == 1


@pytest.mark.parametrize("event_type", NOTIFYING)
def test_id_that_is_used_again_when_it_is_forgotten_is_another_event(
    event_type: str, store: Store, connected: Functions, clock: Clock
) -> None:
    """The notification of the former event is kept for longer than its id."""
    store.seed(world(held("d1"), held("d2", by="u2"), held("d3", by="u3")))
    assert connected.handle(message(event_type, id="1", at=NOW)) == {"success": 1}
    store.run("DELETE FROM processed_messages")
    clock.wait(MESSAGES_KEPT)
    again = message(event_type, id="1", userId="u2", at=clock())
    other = message(event_type, id="2", userId="u3", at=clock())

    assert connected.handle(other, again) == {"success": 2}
    assert connected.handle(again) == {"duplicate": 1}

    notified = store.rows("SELECT user_id FROM notifications WHERE dedupe_key LIKE %s", _OF_MESSAGE)
    assert sorted(row.user_id for row in notified) == ["u1", "u2", "u3"]


@pytest.mark.parametrize("event_type", NOTIFYING)
def test_old_event_of_another_user_is_not_taken_for_the_one_that_had_its_id(
    event_type: str, store: Store, connected: Functions, clock: Clock
) -> None:
    store.seed(world(held("d1"), held("d2", by="u2")))
    assert connected.handle(message(event_type, id="1", at=NOW)) == {"success": 1}
    store.run("DELETE FROM processed_messages")
    clock.wait(MESSAGES_KEPT)

    again = message(event_type, id="1", userId="u2", at=NOW)
    assert connected.handle(again) == {"success": 1}
