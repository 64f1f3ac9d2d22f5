"""A channel worker whose provider refuses: retries, and the pauses of the circuit breaker."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from threading import Barrier
from typing import TYPE_CHECKING

from notification_dispatch.channels.sender import Accepted
from notification_dispatch.circuit_breaker import (
    FAILURE_THRESHOLD,
    OUTAGE_PAUSE_SECONDS,
    CircuitBreaker,
)
from notification_dispatch.send_window import MAX_SIZE, SendWindow
from scheduler.aws_errors import ErrorClass
from scheduler.outbox.retry_policy import MAX_ATTEMPTS, ProviderError
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.workers import (
    EMAIL_ONLY,
    THREADS,
    UNAVAILABLE,
    invocation,
)
from tests.support.deliveries import FakeSender
from tests.support.together import DEADLINE_SECONDS
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable

    from notification_dispatch.channel_worker import ChannelWorker
    from scheduler.outbox.delivery import Delivery, DeliveryOutcome
    from tests.support.clock import Clock


def test_failed_delivery_is_retried_when_its_delay_is_over(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    sender = FakeSender(respond=lambda _: UNAVAILABLE)
    worker = make_worker(sender, jitter=lambda: 1.0)

    assert worker.work(invocation()) == {"retried": 1}
    assert worker.work(invocation()) == {}
    clock.wait(30 * SECOND)
    sender.respond = lambda _: Accepted()
    assert worker.work(invocation()) == {"sent": 1}


def test_sixth_failure_is_final(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(NewNotification(channels=EMAIL_ONLY))
    worker = make_worker(
        FakeSender(respond=lambda _: UNAVAILABLE), breaker=CircuitBreaker(clock.monotonic)
    )

    counts: Counter[DeliveryOutcome] = Counter()
    for _ in range(10):
        counts += worker.work(invocation())
        clock.wait(10 * MINUTE)

    assert counts == {"retried": 5, "failed": 1}
    assert outbox.rows()[0].last_error == "ServiceUnavailable"


def test_outage_stops_sending_and_costs_few_attempts(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*to_each_user(50, channels=EMAIL_ONLY))
    sender = FakeSender(respond=lambda _: UNAVAILABLE)

    make_worker(sender).work(invocation())

    assert len(sender.sent) <= FAILURE_THRESHOLD + THREADS
    untouched = [row for row in outbox.rows() if row.attempts == 0]
    assert len(untouched) == 50 - len(sender.sent)
    assert all(row.claimed_until is None and row.status == "pending" for row in untouched)


def test_failures_of_one_user_do_not_delay_others(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    sender = FakeSender(respond=lambda _: UNAVAILABLE)
    worker = make_worker(sender)
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(FAILURE_THRESHOLD)])
    assert worker.work(invocation()) == {"retried": FAILURE_THRESHOLD}

    sender.respond = lambda _: Accepted()
    outbox.add(*to_each_user(3, channels=EMAIL_ONLY))

    assert worker.work(invocation()) == {"sent": 3}


def test_outage_of_five_minutes_loses_no_delivery(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*to_each_user(30, channels=EMAIL_ONLY))
    sender = FakeSender(respond=lambda _: UNAVAILABLE)
    worker = make_worker(sender, breaker=CircuitBreaker(clock.monotonic))

    while clock() < NOW + 5 * MINUTE:
        worker.work(invocation())
        clock.wait(timedelta(seconds=OUTAGE_PAUSE_SECONDS))
    failed_attempts = len(sender.sent)
    sender.respond = lambda _: Accepted()
    for _ in range(12):  # invoked every minute
        worker.work(invocation())
        clock.wait(MINUTE)

    assert outbox.statuses() == {"sent": 30}
    assert failed_attempts < 30
    assert max(row.attempts for row in outbox.rows()) <= MAX_ATTEMPTS


def longest() -> float:
    """Return no jitter: a pause then ends when the clock is set, and no real second is waited."""
    return 1.0


def outlast_slow_provider(worker: ChannelWorker, sender: FakeSender, clock: Clock) -> None:
    """Work for the five minutes of an outage, then until all is sent."""
    while clock() < NOW + 5 * MINUTE:
        worker.work(invocation())
        clock.wait(timedelta(seconds=OUTAGE_PAUSE_SECONDS))
    sender.respond = lambda _: Accepted()
    for _ in range(12):  # invoked every minute
        worker.work(invocation())
        clock.wait(MINUTE)


def sent_twice(sender: FakeSender) -> int:
    """Return how many deliveries were sent more than once."""
    return sum(times > 1 for times in Counter(sender.sent).values())


def test_slow_provider_that_sends_nevertheless_gets_only_one_delivery_twice(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*to_each_user(40, channels=EMAIL_ONLY))
    timeout = ProviderError(ErrorClass.UNCERTAIN, "ReadTimeoutError: Read timed out")
    sender = FakeSender(respond=lambda _: timeout)
    worker = make_worker(sender, jitter=longest, breaker=CircuitBreaker(clock.monotonic))

    outlast_slow_provider(worker, sender, clock)

    assert outbox.statuses() == {"sent": 40}
    assert sent_twice(sender) == 1
    assert len(sender.sent) < 40 + MAX_ATTEMPTS


def test_slow_provider_gets_those_twice_that_were_sent_at_the_same_time(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    """The worker has been busy, so that all its threads send when the provider becomes slow."""
    outbox.add(*to_each_user(40, channels=EMAIL_ONLY))
    timeout = ProviderError(ErrorClass.UNCERTAIN, "ReadTimeoutError: Read timed out")
    all_sending = Barrier(THREADS)

    def time_out(_: Delivery) -> ProviderError:
        if len(sender.sent) <= THREADS:
            all_sending.wait(DEADLINE_SECONDS)
        return timeout

    sender = FakeSender(respond=time_out)
    worker = make_worker(
        sender,
        jitter=longest,
        breaker=CircuitBreaker(clock.monotonic),
        window=SendWindow(initial_size=MAX_SIZE),
    )

    outlast_slow_provider(worker, sender, clock)

    assert outbox.statuses() == {"sent": 40}
    assert sent_twice(sender) == THREADS


def test_delivery_that_never_gets_a_response_does_not_stop_the_channel(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*to_each_user(3, channels=EMAIL_ONLY))
    poison = outbox.rows()[0].id
    timeout = ProviderError(ErrorClass.UNCERTAIN, "ReadTimeoutError: Read timed out")
    sender = FakeSender(respond=lambda one: timeout if one.id == poison else Accepted())
    worker = make_worker(sender, jitter=longest, breaker=CircuitBreaker(clock.monotonic))

    for _ in range(40):
        worker.work(invocation())
        clock.wait(MINUTE)

    assert [row.status for row in outbox.rows()] == ["failed", "sent", "sent"]
