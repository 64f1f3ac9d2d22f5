"""Recipients are protected: above the hourly limit of a kind they get one digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from notification_dispatch.channel_worker import ChannelWorker
from notification_dispatch.channels.sender import Accepted, SendResponse
from scheduler.database.connection import Database
from scheduler.domain.notices import Channel
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import IN_DIGEST, Delivery
from scheduler.outbox.hourly_limit import PERIOD
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.integration.dispatch.workers import THREADS, invocation
from tests.support.deliveries import FakeSender
from tests.support.together import together
from tests.support.world import MINUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.clock import Clock
    from tests.support.store import Store

LIMIT = 5


class Inbox(FakeSender):
    """The messages that users receive, as user and title."""

    def __init__(self) -> None:
        super().__init__(respond=self._receive)
        self.received: list[tuple[str, str]] = []
        self.texts: list[str] = []

    def _receive(self, one: Delivery) -> SendResponse:
        self.received.append((one.recipient.user_id, one.title))
        self.texts.append(one.message)
        return Accepted(f"mail-{len(self.received)}")


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
def start(store: Store, clock: Clock, inbox: Inbox) -> Iterator[Callable[[], ChannelWorker]]:
    databases: list[Database] = []

    def start_one() -> ChannelWorker:
        databases.append(Database(store.settings))
        claims = Claims(databases[-1], inbox.channel, clock)
        return ChannelWorker(claims, inbox, threads=THREADS, clock=clock, hourly_limit=LIMIT)

    yield start_one
    for database in databases:
        database.close()


def overdue(
    number: int,
    user: str = "u1",
    kind: str = "billing_alert.overdue",
    channel: Channel = Channel.EMAIL,
) -> NewNotification:
    return NewNotification(
        user, (channel,), f"Overdue {number}.", "Account overdue", kind=kind, urgent=True
    )


@pytest.mark.parametrize("channel", [Channel.EMAIL, Channel.SMS])
def test_two_hundred_of_a_kind_are_the_limit_and_one_digest(
    channel: Channel,
    start: Callable[[], ChannelWorker],
    outbox: Outbox,
    inbox: Inbox,
    clock: Clock,
) -> None:
    inbox.channel = channel
    outbox.add_users(("u1", "someone@example.com", "+8613800138000"))
    outbox.add(*[overdue(number, channel=channel) for number in range(200)])
    worker = start()

    worker.work(invocation())
    assert inbox.received == [("u1", "Account overdue")] * LIMIT
    clock.wait(PERIOD - MINUTE)
    worker.work(invocation())
    assert len(inbox.received) == LIMIT
    clock.wait(MINUTE)
    worker.work(invocation())

    assert inbox.received[LIMIT:] == [("u1", "Account overdue (195 messages)")]
    assert inbox.texts[-1] == "Overdue 199. Your inbox has 194 more messages like this."
    assert outbox.statuses() == {"sent": LIMIT + 1, "skipped": 194}
    assert {row.last_error for row in outbox.rows() if row.status == "skipped"} == {IN_DIGEST}


def test_other_kinds_and_other_users_are_not_affected(
    start: Callable[[], ChannelWorker], outbox: Outbox, inbox: Inbox
) -> None:
    outbox.add(*[overdue(number) for number in range(LIMIT + 1)])
    outbox.add(overdue(0, kind="account_suspended"), overdue(0, user="u2"))

    start().work(invocation())

    assert sorted(user for user, _ in inbox.received) == ["u1"] * (LIMIT + 1) + ["u2"]


def test_deliveries_that_come_later_join_the_waiting_digest(
    start: Callable[[], ChannelWorker], outbox: Outbox, inbox: Inbox, clock: Clock
) -> None:
    outbox.add_users(("u1", "someone@example.com", None))
    worker = start()
    for number in range(LIMIT + 3):
        outbox.add(overdue(number))
        worker.work(invocation())
        clock.wait(MINUTE)
        worker = start()  # as after a cold start: nothing is kept in memory

    clock.wait(PERIOD)
    worker.work(invocation())

    assert len(inbox.received) == LIMIT + 1
    assert inbox.received[-1] == ("u1", "Account overdue (3 messages)")


def test_single_delivery_above_the_limit_is_sent_as_it_is_when_the_hour_is_over(
    start: Callable[[], ChannelWorker], outbox: Outbox, inbox: Inbox, clock: Clock
) -> None:
    outbox.add(*[overdue(number) for number in range(LIMIT + 1)])
    worker = start()
    worker.work(invocation())

    clock.wait(PERIOD)
    worker.work(invocation())

    assert inbox.texts[-1] == f"Overdue {LIMIT}."
    assert outbox.statuses() == {"sent": LIMIT + 1}


def test_delivery_does_not_join_one_that_is_only_retried_later(
    start: Callable[[], ChannelWorker], outbox: Outbox, store: Store
) -> None:
    outbox.add(overdue(0))
    store.run(
        "UPDATE notification_deliveries"
        " SET attempts = 1, next_attempt_at = next_attempt_at + INTERVAL 10 MINUTE"
    )
    outbox.add(*[overdue(number) for number in range(LIMIT + 1)])

    start().work(invocation())

    assert outbox.statuses() == {"sent": LIMIT, "pending": 2}


def test_delivery_does_not_join_a_digest_that_may_be_sent_at_the_same_time(
    start: Callable[[], ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*[overdue(number) for number in range(LIMIT)])
    start().work(invocation())
    outbox.add(overdue(LIMIT))
    start().work(invocation())
    clock.wait(PERIOD - MINUTE)
    outbox.add(overdue(LIMIT + 1))

    start().work(invocation())

    assert outbox.statuses() == {"sent": LIMIT, "pending": 2}


def test_limit_holds_for_concurrent_dispatchers(
    start: Callable[[], ChannelWorker], outbox: Outbox, inbox: Inbox, clock: Clock
) -> None:
    outbox.add(*[overdue(number) for number in range(60)])
    workers = [start() for _ in range(3)]

    together(*[lambda one=one: one.work(invocation()) for one in workers])
    for _ in range(3):
        clock.wait(MINUTE)
        start().work(invocation())

    assert len(inbox.received) <= LIMIT
    clock.wait(PERIOD)
    start().work(invocation())
    clock.wait(PERIOD)
    start().work(invocation())
    assert outbox.statuses().keys() == {"sent", "skipped"}
    assert len(inbox.received) <= LIMIT + 6


def test_deliveries_of_the_former_release_are_not_limited(
    start: Callable[[], ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[overdue(number, kind="") for number in range(2 * LIMIT)])

    start().work(invocation())

    assert outbox.statuses() == {"sent": 2 * LIMIT}
