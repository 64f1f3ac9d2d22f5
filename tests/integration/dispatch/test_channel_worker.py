"""A channel worker sends and records what is due, whatever its provider responds."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

from notification_dispatch import channel_worker
from notification_dispatch.channel_worker import MAX_CLAIMED, ChannelWorker
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from scheduler.aws_errors import ErrorClass
from scheduler.domain.notices import Channel
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import Delivery, DeliveryOutcome
from scheduler.outbox.retry_policy import ProviderError
from scheduler.outbox.turns import TURN_SIZE
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.workers import (
    EMAIL_ONLY,
    THREADS,
    invocation,
)
from tests.support.deliveries import FakeSender
from tests.support.statements import counted

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from scheduler.database.connection import Database
    from tests.support.clock import Clock


def test_every_due_delivery_is_sent_once(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*to_each_user(3 * MAX_CLAIMED + 1, channels=EMAIL_ONLY))
    sender = FakeSender()

    counts = make_worker(sender).work(invocation())

    assert counts == {"sent": 3 * MAX_CLAIMED + 1}
    assert Counter(sender.sent).most_common(1)[0][1] == 1
    assert outbox.statuses() == {"sent": 3 * MAX_CLAIMED + 1}


def test_flood_of_one_user_is_sent_in_one_invocation(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3 * TURN_SIZE + 1)])
    sender = FakeSender()

    make_worker(sender).work(invocation())

    assert sender.sent == [row.id for row in outbox.rows()]
    assert outbox.statuses() == {"sent": 3 * TURN_SIZE + 1}


def test_user_whose_provider_is_slow_lets_others_have_their_turn(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_worker, "MAX_TURN_SECONDS", 0.0)
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3)])
    sender = FakeSender()

    assert make_worker(sender).work(invocation()) == {"sent": 3}
    assert sender.sent == [row.id for row in outbox.rows()]


def test_each_response_is_recorded_with_its_outcome(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    responses: dict[str, SendResponse] = {
        "accepted": Accepted("mail-1"),
        "no address": Unreachable("no e-mail address known"),
        "rejected": ProviderError(ErrorClass.PERMANENT, "MessageRejected: no"),
        "throttled": ProviderError(ErrorClass.THROTTLED, "TooManyRequestsException"),
    }
    outbox.add(*[NewNotification(message=name, channels=EMAIL_ONLY) for name in responses])

    make_worker(FakeSender(respond=lambda one: responses[one.message])).work(invocation())

    recorded = [(row.status, row.attempts, row.last_error) for row in outbox.rows()]
    assert recorded == [
        ("sent", 1, None),
        ("skipped", 0, "no e-mail address known"),
        ("failed", 1, "MessageRejected: no"),
        ("pending", 0, "TooManyRequestsException"),
    ]


def test_bug_in_sending_one_delivery_does_not_affect_others(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(
        *[
            NewNotification(message="poison" if n == 3 else "fine", channels=EMAIL_ONLY)
            for n in range(9)
        ]
    )

    def respond(delivery: Delivery) -> SendResponse:
        if delivery.message == "poison":
            raise ZeroDivisionError
        return Accepted()

    assert make_worker(FakeSender(respond=respond)).work(invocation()) == {"sent": 8, "retried": 1}
    assert outbox.rows()[3].last_error == "bug: ZeroDivisionError"


def test_when_the_time_is_up_the_rest_is_released_without_an_attempt(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*to_each_user(20, channels=EMAIL_ONLY))
    current = invocation()

    def respond(_: Delivery) -> SendResponse:
        current._ends_at = 0.0  # the time is up while the first are sent
        return Accepted()

    counts = make_worker(FakeSender(respond=respond)).work(current)

    assert 1 <= counts[DeliveryOutcome.SENT] <= THREADS
    rest = [row for row in outbox.rows() if row.status == "pending"]
    assert len(rest) == 20 - counts[DeliveryOutcome.SENT]
    assert all(row.claimed_until is None and row.attempts == 0 for row in rest)


def test_nothing_is_sent_when_no_time_is_left(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))

    assert make_worker(FakeSender()).work(invocation(seconds=0)) == {}


def test_lease_outlives_every_delivery_of_the_invocation() -> None:
    assert invocation(seconds=10).lease > timedelta(seconds=10 + 15)


def test_thousand_deliveries_take_a_bounded_number_of_statements(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*to_each_user(1000, channels=EMAIL_ONLY))
    claims = Claims(database, Channel.EMAIL, clock)
    worker = ChannelWorker(claims, FakeSender(), threads=THREADS, clock=clock)

    with counted(database) as statements:
        worker.work(invocation())

    assert outbox.statuses() == {"sent": 1000}
    assert statements.total <= 30 * 10
