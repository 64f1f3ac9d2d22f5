"""Claiming due deliveries and recording their results, in a real database."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import time, timedelta
from typing import TYPE_CHECKING

import pytest

from scheduler.database.connection import Database, connect
from scheduler.domain.notices import Channel
from scheduler.notification.preferences import QuietHours
from scheduler.outbox.claims import _LOAD_CLAIMED, _RECORD_RESULTS, Claims, _row
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult, Recipient
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.plans import plan_of
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.together import together
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.clock import Clock
    from tests.support.store import Store

LEASE = MINUTE
EMAIL_ONLY = (Channel.EMAIL,)


@pytest.fixture
def claims(database: Database, clock: Clock) -> Claims:
    return Claims(database, Channel.EMAIL, clock)


def test_claimed_delivery_has_everything_that_sending_needs(
    claims: Claims, outbox: Outbox, store: Store
) -> None:
    outbox.add_users(("u1", "someone@example.com", "+8613800138000"))
    store.insert(
        "notification_preferences",
        "user_id, channels, quiet_from, quiet_until, time_zone",
        [("u1", "{}", timedelta(hours=22), timedelta(hours=7, minutes=30), "Asia/Shanghai")],
    )
    (id_,) = outbox.add(
        NewNotification(title="标题", message="文本", urgent=True, channels=EMAIL_ONLY)
    )

    (claimed,) = claims.claim(10, LEASE)

    assert claimed == Delivery(
        id=outbox.rows()[0].id,
        channel=Channel.EMAIL,
        attempts=0,
        claimed_until=NOW + LEASE,
        notification_id=id_,
        type="device_released",
        title="标题",
        message="文本",
        data='{"deviceId": "d1"}',
        created_at=NOW,
        urgent=True,
        recipient=Recipient(
            "u1",
            "someone@example.com",
            "+8613800138000",
            "en",
            QuietHours(time(22), time(7, 30), "Asia/Shanghai"),
        ),
        kind="device_released",
    )


def test_delivery_of_an_unknown_user_has_no_address(claims: Claims, outbox: Outbox) -> None:
    outbox.add(NewNotification("stranger", EMAIL_ONLY))

    (claimed,) = claims.claim(10, LEASE)

    assert claimed.recipient == Recipient("stranger")


def test_due_deliveries_of_the_channel_are_claimed_longest_due_first(
    claims: Claims, outbox: Outbox, store: Store
) -> None:
    later, sooner, _, _ = outbox.add(
        NewNotification(channels=EMAIL_ONLY, at=NOW - SECOND),
        NewNotification(channels=EMAIL_ONLY, at=NOW - MINUTE),
        NewNotification(channels=EMAIL_ONLY, at=NOW + MINUTE),
        NewNotification(channels=(Channel.SMS,), at=NOW - MINUTE),
    )
    outbox.add(NewNotification(id="sent", channels=EMAIL_ONLY))
    store.run("UPDATE notification_deliveries SET status = 'sent' WHERE notification_id = 'sent'")

    assert {one.notification_id for one in claims.claim(1, LEASE)} == {sooner}
    assert {one.notification_id for one in claims.claim(9, LEASE)} == {later}


def test_writers_clock_may_be_a_second_ahead(claims: Claims, outbox: Outbox) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY, at=NOW + SECOND))

    assert len(claims.claim(10, LEASE)) == 1


def test_claim_respects_the_limit(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(5)])

    assert [len(claims.claim(3, LEASE)) for _ in range(3)] == [3, 2, 0]


def test_claimed_delivery_is_not_claimed_again_until_the_lease_ends(
    claims: Claims, outbox: Outbox, clock: Clock
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    (first,) = claims.claim(10, LEASE)

    clock.wait(LEASE - SECOND)
    assert claims.claim(10, LEASE) == []

    clock.wait(SECOND)
    (second,) = claims.claim(10, LEASE)
    assert second.id == first.id
    assert second.attempts == 0


def test_locked_delivery_is_skipped(claims: Claims, outbox: Outbox, store: Store) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(2)])
    locked, free = (row.id for row in outbox.rows())

    with closing(connect(store.settings)) as other, other.cursor() as cursor:
        cursor.execute("SELECT 1 FROM notification_deliveries WHERE id = %s FOR UPDATE", (locked,))
        assert [one.id for one in claims.claim(10, LEASE)] == [free]


def test_concurrent_claims_are_disjoint(store: Store, outbox: Outbox) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(200)])

    def claim_all() -> list[int]:
        with closing(Database(store.settings)) as database:
            claims, claimed_ids = Claims(database, Channel.EMAIL, lambda: NOW), []
            while claimed := claims.claim(7, LEASE):
                claimed_ids += [one.id for one in claimed]
            return claimed_ids

    claimed_ids = [id_ for ids in together(*[claim_all] * 4) for id_ in ids]

    assert sorted(claimed_ids) == [row.id for row in outbox.rows()]


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
    outbox.add(NewNotification(channels=EMAIL_ONLY))

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


def test_queries_use_their_indexes(claims: Claims, store: Store, outbox: Outbox) -> None:
    outbox.add_users(("u1", None, None))
    outbox.add(*[NewNotification(channels=EMAIL_ONLY, at=NOW - 100 * MINUTE) for _ in range(3000)])
    store.run("UPDATE notification_deliveries SET status = 'sent'")
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(20)])
    store.run("ANALYZE TABLE notification_deliveries, notifications, users")
    claimed = claims.claim(10, LEASE)
    ids, now = tuple(one.id for one in claimed), NOW
    results = json.dumps([_row(DeliveryResult(one, DeliveryOutcome.SENT), now) for one in claimed])

    contents = plan_of(store, _LOAD_CLAIMED, ids)
    record = plan_of(store, _RECORD_RESULTS, results)

    assert set(contents.values()) == {"PRIMARY", "digest"}
    assert record["d"] == "PRIMARY"
