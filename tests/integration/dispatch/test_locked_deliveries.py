"""Deliveries that another transaction has locked: only their own results wait."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event
from typing import TYPE_CHECKING

import pytest

from notification_dispatch.channels.sender import Accepted, SendResponse
from notification_dispatch.send_window import MAX_SIZE, SendWindow
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.outbox.delivery import Delivery, DeliveryOutcome, DeliveryResult
from tests.integration.dispatch.outbox import Outbox, to_each_user
from tests.integration.dispatch.workers import EMAIL_ONLY, LEASE, invocation
from tests.support.deliveries import FakeSender
from tests.support.locks import locked
from tests.support.logged import logged
from tests.support.statements import counted
from tests.support.together import DEADLINE_SECONDS, eventually, together

if TYPE_CHECKING:
    from collections.abc import Callable

    from notification_dispatch.channel_worker import ChannelWorker
    from scheduler.database.connection import Database
    from scheduler.outbox.claims import Claims
    from tests.support.store import Store

pytestmark = pytest.mark.usefixtures("short_lock_waits")

USERS = 20


def lock_of(delivery_id: int) -> str:
    return f"SELECT id FROM notification_deliveries WHERE id = {delivery_id} FOR UPDATE"  # noqa: S608 - a number


def sent(claims: Claims) -> list[DeliveryResult]:
    return [DeliveryResult(one, DeliveryOutcome.SENT) for one in claims.claim(100, LEASE)]


def test_others_are_recorded_and_the_locked_one_when_it_is_free(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, store: Store
) -> None:
    outbox.add(*to_each_user(USERS, channels=EMAIL_ONLY))
    first, *_ = outbox.rows()

    def respond(delivery: Delivery) -> SendResponse:
        if delivery.id == first.id:
            lock.enter_context(locked(store.settings, lock_of(first.id)))
            taken.set()
        return Accepted()

    def release_when_the_others_are_recorded() -> None:
        taken.wait(DEADLINE_SECONDS)
        with lock:
            eventually(lambda: outbox.statuses().get("sent") == USERS - 1, "the others' results")

    lock, taken, sender = ExitStack(), Event(), FakeSender(respond=respond)
    worker = make_worker(sender, window=SendWindow(initial_size=MAX_SIZE))
    together(lambda: worker.work(invocation()), release_when_the_others_are_recorded)

    assert outbox.statuses() == {"sent": USERS}
    assert len(sender.sent) == USERS


def test_a_delivery_that_stays_locked_is_logged_because_it_is_sent_again(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, store: Store
) -> None:
    outbox.add(*to_each_user(1, channels=EMAIL_ONLY))
    (one,) = outbox.rows()

    def respond(_: Delivery) -> SendResponse:
        lock.enter_context(locked(store.settings, lock_of(one.id)))
        return Accepted()

    with ExitStack() as lock, logged() as lines:
        make_worker(FakeSender(respond=respond)).work(invocation(seconds=1))

    assert outbox.statuses() == {"pending": 1}
    (warned,) = [line for line in lines() if line["level"] == "WARNING"]
    assert warned["delivery_ids"] == [one.id]


def test_a_lock_is_waited_for_once(
    claims: Claims, outbox: Outbox, store: Store, database: Database
) -> None:
    outbox.add(*to_each_user(USERS, channels=EMAIL_ONLY))
    results = sent(claims)

    with locked(store.settings, lock_of(results[3].delivery.id)):
        with counted(database) as spent:
            assert claims.record(results) == results[3:4]
        assert spent.rollbacks == 1
        with counted(database) as spent:
            assert claims.record(results[3:4]) == results[3:4]
        assert spent.rollbacks == 0

    assert claims.record(results[3:4]) == []
    assert outbox.statuses() == {"sent": USERS}


def test_claims_of_others_are_released(claims: Claims, outbox: Outbox, store: Store) -> None:
    outbox.add(*to_each_user(3, channels=EMAIL_ONLY))
    claimed = claims.claim(100, LEASE)

    with locked(store.settings, lock_of(claimed[0].id)):
        claims.release(claimed)

    assert [row.claimed_until is None for row in outbox.rows()] == [False, True, True]


def test_a_table_that_a_migration_locks_is_like_an_outage(
    claims: Claims, outbox: Outbox, store: Store
) -> None:
    outbox.add(*to_each_user(2, channels=EMAIL_ONLY))
    results = sent(claims)
    text = r"^Lock wait timeout .* \(error 1205\)$"

    with locked(store.settings, "LOCK TABLES notification_deliveries WRITE"):
        with pytest.raises(DatabaseUnavailableError, match=text):
            claims.record(results)
        with pytest.raises(DatabaseUnavailableError):
            claims.claim(100, LEASE)

    assert claims.record(results) == []
    assert outbox.statuses() == {"sent": 2}
