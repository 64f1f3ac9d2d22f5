"""Claiming due deliveries in a real database."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import time, timedelta
from typing import TYPE_CHECKING

from scheduler.database.connection import Database
from scheduler.domain.notices import Channel
from scheduler.notification.preferences import QuietHours
from scheduler.outbox.claims import _LOAD_CLAIMED, _RECORD_RESULTS, Claims, _row
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult, Recipient
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.integration.dispatch.plans import plan_of
from tests.integration.dispatch.workers import EMAIL_ONLY, LEASE
from tests.support.locks import locked
from tests.support.together import together
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from tests.support.clock import Clock
    from tests.support.store import Store


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


def test_delivery_that_is_claimed_again_is_nobody_elses_until_the_lease_ends(
    claims: Claims, outbox: Outbox, clock: Clock
) -> None:
    """As for a delivery by which a dispatcher tries whether a provider is back."""
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    (tried,) = claims.claim(10, LEASE)
    claims.record(
        [DeliveryResult(tried, DeliveryOutcome.RETRIED, "away", due_at=NOW + 60 * MINUTE)]
    )

    (again,) = claims.claim_again(tried, LEASE)

    assert again.claimed_until == NOW + LEASE
    assert claims.claim_again(tried, LEASE) == []
    clock.wait(LEASE)
    assert len(claims.claim_again(tried, LEASE)) == 1


def test_delivery_that_was_sent_meanwhile_is_not_claimed_again(
    claims: Claims, outbox: Outbox
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    (sent,) = claims.claim(10, LEASE)
    claims.record([DeliveryResult(sent, DeliveryOutcome.SENT)])

    assert claims.claim_again(sent, LEASE) == []


def test_locked_delivery_is_skipped(claims: Claims, outbox: Outbox, store: Store) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(2)])
    busy, free = (row.id for row in outbox.rows())

    lock = "SELECT 1 FROM notification_deliveries WHERE id = %s FOR UPDATE"
    with locked(store.settings, lock, busy):
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
