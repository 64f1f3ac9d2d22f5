"""Which messages are noted for the timeline as not applied, and as what."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database.connection import Database, connect
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement
from scheduler.pipeline.unapplied import note_unapplied
from scheduler.settings import DatabaseSettings
from tests.integration.pipeline.unnamed import AWAY
from tests.support.events import QUEUE_OF, message
from tests.support.logged import logged
from tests.support.world import NOW

if TYPE_CHECKING:
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")

FAILED: Final = QUEUE_OF["device.failed"]


def settled(
    settlement: Settlement, verdict: Verdict = Verdict.FAILED, queue: str = FAILED
) -> Settled:
    sent = message("device.failed")._replace(queue=queue)
    return Settled(Outcome(sent, verdict, error="why"), settlement)


def noted(store: Store) -> list[str]:
    rows = store.rows("SELECT outcome FROM unapplied_messages ORDER BY outcome")
    return [outcome for (outcome,) in rows]


@pytest.mark.parametrize(
    ("settlement", "verdict", "outcome"),
    [
        (Settlement.DUPLICATE, Verdict.DUPLICATE, "duplicate"),
        (Settlement.RETRIED, Verdict.FAILED, "retried"),
        (Settlement.RETRIED, Verdict.HELD, "held"),
        (Settlement.RETRIED, Verdict.PARKED, "parked"),
        (Settlement.INVALID, Verdict.INVALID, "dead_lettered"),
        (Settlement.DEAD_LETTERED, Verdict.FAILED, "dead_lettered"),
        (Settlement.ERROR, Verdict.FAILED, "given_up"),
    ],
)
def test_message_is_noted_as_what_became_of_it(
    settlement: Settlement, verdict: Verdict, outcome: str, store: Store
) -> None:
    assert noted(store) == []  # now the database is connected

    note_unapplied(store.database, [settled(settlement, verdict)], NOW)

    assert noted(store) == [outcome]


def test_applied_messages_and_those_of_other_queues_are_left_out(store: Store) -> None:
    batch = [
        settled(Settlement.SUCCESS, Verdict.DONE),
        settled(Settlement.OUTDATED, Verdict.OUTDATED),
        settled(Settlement.INVALID, Verdict.INVALID, queue="x" * 100),
        settled(Settlement.RETRIED),
    ]

    note_unapplied(store.database, batch, NOW)

    assert noted(store) == ["retried"]


@pytest.mark.parametrize("away", [True, False])
def test_notes_that_cannot_be_written_are_lost_with_a_warning(*, away: bool, store: Store) -> None:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": AWAY}) if away else store.settings
    batch = [settled(Settlement.DUPLICATE), settled(Settlement.RETRIED, Verdict.PARKED)]

    with (
        closing(connect(store.settings)) as other,
        other.cursor() as cursor,
        closing(Database(settings)) as database,
        logged() as lines,
    ):
        cursor.execute("LOCK TABLES unapplied_messages WRITE")
        note_unapplied(database, batch, NOW)
        (warning,) = lines()

    assert (warning["level"], warning["messages"]) == ("WARNING", 2)
    assert ("connect" if away else "Lock wait") in warning["error"]
    assert noted(store) == []
