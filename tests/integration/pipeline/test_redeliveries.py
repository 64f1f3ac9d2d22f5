"""Redelivered messages are noted, and what kills every run is found."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from tests.integration.pipeline.crashing import CrashError, CrashingCounter
from tests.integration.pipeline.unnamed import AWAY, again
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.locks import locked
from tests.support.logged import logged
from tests.support.statements import counted
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from tests.support.queues import Queues
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")


NOTES: Final = "LOCK TABLES delivery_attempts WRITE"


def test_message_that_kills_every_run_becomes_a_dead_letter_at_its_fourth_delivery(
    store: Store, connected: Functions, counter: CrashingCounter, queues: Queues
) -> None:
    store.seed(world(user("u1")))
    killer = message("billing.payment_failed", id="killer")
    for sent in (killer, again(killer), again(killer)):
        counter.crashes = 1
        with pytest.raises(CrashError):
            connected.handle(sent)

    assert connected.handle(again(killer)) == {"dead_lettered": 1}

    assert [one.properties.message_id for one in queues.take()] == ["killer"]
    assert store.rows("SELECT * FROM delivery_attempts") == []


def test_redelivered_message_is_parked_while_no_note_can_be_read(
    broker_url: str, queues: Queues
) -> None:
    with Functions(AWAY, broker_url) as without:
        assert without.handle(again(message("user.suspended", id="m1"))) == {"retried": 1}

    (waiting,) = queues.take("scheduler.user-suspended.retry")
    assert (waiting.properties.message_id, waiting.headers["x-attempt"]) == ("m1", 0)


def test_a_locked_table_of_notes_does_not_fail_a_redelivered_batch(
    store: Store, connected: Functions
) -> None:
    store.seed(world(*(held(f"d{number}", by=f"u{number}") for number in range(3))))
    batch = [again(message("user.suspended", userId=f"u{number}")) for number in range(3)]

    with locked(store.settings, NOTES), counted(connected.database) as spent, logged() as lines:
        assert connected.handle(*batch) == {"success": 3}
        (warning,) = [line for line in lines() if "notes" in line["message"]]

    # Only reading the notes waits for the lock.
    assert spent.rollbacks == 1
    assert warning["queue"] == "scheduler.user-suspended"
    assert "Lock wait timeout" in warning["error"]


def test_notes_are_read_again_when_their_table_is_free(store: Store, connected: Functions) -> None:
    store.seed(world(held("d1", by="u1"), held("d2", by="u2")))
    one, other = (again(message("user.suspended", userId=u)) for u in ("u1", "u2"))
    with locked(store.settings, NOTES):
        connected.handle(one)
    note = (other.queue, other.delivery_key, 3, "2026-11-24")
    store.insert("delivery_attempts", "queue, message_id, attempts, last_at", [note])

    assert connected.handle(other) == {"dead_lettered": 1}
