"""Recording the results of claimed deliveries in a real database."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.workers import EMAIL_ONLY, LEASE
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.database.connection import Database
    from scheduler.outbox.claims import Claims
    from tests.support.clock import Clock
    from tests.support.store import Store

LATER = NOW + 5 * MINUTE


def _result(outcome: DeliveryOutcome) -> Callable[[Delivery], DeliveryResult]:
    results = {
        DeliveryOutcome.SENT: lambda one: DeliveryResult(
            one, DeliveryOutcome.SENT, provider_message_id="mail-1"
        ),
        DeliveryOutcome.SKIPPED: lambda one: DeliveryResult(
            one, DeliveryOutcome.SKIPPED, "no e-mail address known"
        ),
        DeliveryOutcome.FAILED: lambda one: DeliveryResult(
            one, DeliveryOutcome.FAILED, "MessageRejected: no"
        ),
        DeliveryOutcome.RETRIED: lambda one: DeliveryResult(
            one, DeliveryOutcome.RETRIED, "away", due_at=LATER
        ),
        DeliveryOutcome.POSTPONED: lambda one: DeliveryResult(
            one, DeliveryOutcome.POSTPONED, "quiet hours", due_at=LATER
        ),
    }
    return results[outcome]


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (DeliveryOutcome.SENT, ("sent", 1, NOW, None, "mail-1", NOW)),
        (DeliveryOutcome.SKIPPED, ("skipped", 0, NOW, "no e-mail address known", None, None)),
        (DeliveryOutcome.FAILED, ("failed", 1, NOW, "MessageRejected: no", None, None)),
        (DeliveryOutcome.RETRIED, ("pending", 1, LATER, "away", None, None)),
        (DeliveryOutcome.POSTPONED, ("pending", 0, LATER, "quiet hours", None, None)),
    ],
)
def test_each_outcome_is_recorded_and_its_claim_released(
    claims: Claims, outbox: Outbox, outcome: DeliveryOutcome, expected: tuple[object, ...]
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY, at=NOW - MINUTE))

    claims.record([_result(outcome)(one) for one in claims.claim(10, LEASE)])

    (row,) = outbox.rows()
    sent_at = row.sent_at
    due = row.next_attempt_at
    found = (row.status, row.attempts, due, row.last_error, row.provider_message_id, sent_at)
    assert found == expected
    assert row.claimed_until is None


def test_long_error_is_truncated(claims: Claims, outbox: Outbox) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))

    claims.record(
        [DeliveryResult(one, DeliveryOutcome.FAILED, "失" * 600) for one in claims.claim(10, LEASE)]
    )

    assert outbox.rows()[0].last_error == "失" * 500


def test_result_of_a_lost_claim_is_not_recorded(
    claims: Claims, outbox: Outbox, clock: Clock
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    (stalled,) = claims.claim(10, LEASE)
    clock.wait(LEASE)
    (successor,) = claims.claim(10, LEASE)

    claims.record([DeliveryResult(stalled, DeliveryOutcome.FAILED, "too late")])
    assert outbox.statuses() == {"pending": 1}

    claims.record([DeliveryResult(successor, DeliveryOutcome.SENT)])
    assert outbox.statuses() == {"sent": 1}


def test_released_delivery_is_due_again(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3)])
    first = claims.claim(2, LEASE)
    second = claims.claim(2, 2 * LEASE)

    claims.release([*first, *second])

    assert len(claims.claim(10, LEASE)) == 3


@pytest.mark.parametrize(
    "outcome", [DeliveryOutcome.SENT, DeliveryOutcome.FAILED, DeliveryOutcome.RETRIED]
)
def test_erasing_a_user_wins_against_a_delivery_in_flight(
    claims: Claims, outbox: Outbox, store: Store, outcome: DeliveryOutcome
) -> None:
    outbox.add_users(("u1", "someone@example.com", "+8613800138000"))
    store.insert(
        "notification_preferences",
        "user_id, channels, quiet_from, quiet_until, time_zone",
        [("u1", "{}", timedelta(hours=22), timedelta(hours=7), "Asia/Shanghai")],
    )
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    in_flight = claims.claim(10, LEASE)

    with Functions(store.settings.database_url.get_secret_value()) as functions:
        functions.handle(message("user.deleted"))
    claims.record([_result(outcome)(one) for one in in_flight])
    claims.release(in_flight)

    (row,) = outbox.rows()
    assert (row.status, row.last_error) == ("skipped", "user deleted")
    assert row.provider_message_id is None
    assert store.rows("SELECT title, message, data FROM notifications") == [("", "", "{}")]
    assert store.rows("SELECT email, phone FROM users") == [(None, None)]
    assert store.rows("SELECT * FROM notification_preferences") == []


@pytest.mark.parametrize(
    ("outcome", "status", "erased"),
    [
        (DeliveryOutcome.SENT, "sent", False),
        (DeliveryOutcome.SKIPPED, "skipped", True),
        (DeliveryOutcome.FAILED, "failed", True),
    ],
)
def test_erasing_a_user_erases_unsent_texts_of_finished_deliveries_too(
    claims: Claims,
    outbox: Outbox,
    store: Store,
    outcome: DeliveryOutcome,
    status: str,
    *,
    erased: bool,
) -> None:
    outbox.add_users(("u1", None, None))
    outbox.add(NewNotification(channels=EMAIL_ONLY, message="text"))
    claims.record([DeliveryResult(one, outcome) for one in claims.claim(10, LEASE)])

    with Functions(store.settings.database_url.get_secret_value()) as functions:
        functions.handle(message("user.deleted"))

    assert [row.status for row in outbox.rows()] == [status]
    assert store.rows("SELECT message FROM notifications") == [("" if erased else "text",)]


def test_hundred_deliveries_take_six_statements(
    claims: Claims, database: Database, outbox: Outbox
) -> None:
    outbox.add(*to_each_user(100, channels=EMAIL_ONLY))

    with counted(database) as statements:
        claims.record(
            [DeliveryResult(one, DeliveryOutcome.SENT) for one in claims.claim(100, LEASE)]
        )

    assert (statements.selects, statements.writes) == (4, 2)
    assert outbox.statuses() == {"sent": 100}
