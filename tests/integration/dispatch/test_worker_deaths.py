"""What is sent twice if a dispatcher dies, and what concurrent dispatchers share."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

from notification_dispatch.channels.sender import Accepted, SendResponse
from scheduler.domain.notices import Channel
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import Delivery, DeliveryOutcome
from tests.integration.dispatch.outbox import Outbox, to_each_user
from tests.integration.dispatch.workers import (
    EMAIL_ONLY,
    invocation,
)
from tests.support.deliveries import FakeSender
from tests.support.together import together
from tests.support.world import MINUTE, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from notification_dispatch.channel_worker import ChannelWorker
    from scheduler.database.connection import Database
    from tests.support.clock import Clock


def test_new_worker_sends_nothing_before_the_last_result_is_recorded(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    unrecorded: list[int] = []
    lock = Lock()

    def send(_: Delivery) -> SendResponse:
        with lock:
            # In this order: during the query other deliveries may be recorded and sent.
            sent = len(sender.sent)
            unrecorded.append(sent - outbox.statuses().get("sent", 0))
        return Accepted()

    sender = FakeSender(respond=send)
    outbox.add(*to_each_user(60, channels=EMAIL_ONLY))

    make_worker(sender).work(invocation())

    assert unrecorded[:10] == [1] * 10
    assert max(unrecorded[10:]) <= 1 + 60 // 10


def test_concurrent_dispatchers_never_send_the_same_delivery(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*to_each_user(500, channels=EMAIL_ONLY))
    sender = FakeSender()
    workers = [make_worker(sender) for _ in range(4)]

    counts = together(*[lambda one=one: one.work(invocation()) for one in workers])

    assert sum(one[DeliveryOutcome.SENT] for one in counts) == 500
    assert len(sender.sent) == len(set(sender.sent)) == 500
    assert not sender.overlapping


def test_claims_of_a_dead_dispatcher_are_taken_over_after_the_lease(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, database: Database, clock: Clock
) -> None:
    outbox.add(*to_each_user(5, channels=EMAIL_ONLY))
    assert len(Claims(database, Channel.EMAIL, clock).claim(5, MINUTE)) == 5
    worker = make_worker(FakeSender())

    clock.wait(MINUTE - SECOND)
    assert worker.work(invocation()) == {}
    clock.wait(SECOND)
    assert worker.work(invocation()) == {"sent": 5}
