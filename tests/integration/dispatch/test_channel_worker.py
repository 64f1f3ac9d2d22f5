"""A channel worker sends and records what is due, whatever its provider responds."""

from __future__ import annotations

import io
import json
import random
import time
from collections import Counter
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import pytest

from notification_dispatch import channel_worker
from notification_dispatch.channel_worker import MAX_CLAIMED, ChannelWorker
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from notification_dispatch.circuit_breaker import (
    FAILURE_THRESHOLD,
    OUTAGE_PAUSE_SECONDS,
    CircuitBreaker,
)
from notification_dispatch.invocation import Invocation
from notification_dispatch.send_window import SendWindow
from scheduler.database.connection import Database
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.deadline import Deadline
from scheduler.domain.notices import Channel
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import Delivery, DeliveryOutcome
from scheduler.outbox.retry_policy import MAX_ATTEMPTS, ErrorClass, ProviderError
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.support.deliveries import FakeSender
from tests.support.statements import counted
from tests.support.together import eventually, together
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.clock import Clock
    from tests.support.store import Store


EMAIL_ONLY = (Channel.EMAIL,)
WEBSOCKET_ONLY = (Channel.WEBSOCKET,)
THREADS = 4
UNAVAILABLE = ProviderError(ErrorClass.TRANSIENT, "ServiceUnavailable")


class WrittenLog(io.StringIO):
    """The log of the worker, which counts its writes."""

    writes = 0

    def write(self, text: str) -> int:
        """Write and count."""
        self.writes += 1
        return super().write(text)

    @property
    def text(self) -> str:
        """Return the whole log."""
        return self.getvalue()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the lines, parsed."""
        return [json.loads(line) for line in self.text.splitlines()]


@pytest.fixture
def log() -> Iterator[WrittenLog]:
    handler: Any = channel_worker.logger.registered_handler
    before = handler.setStream(WrittenLog())
    yield handler.stream
    handler.setStream(before)


def invocation(workers: int = 1, seconds: float = 30) -> Invocation:
    return Invocation(Deadline(time.monotonic() + seconds), workers)


@pytest.fixture
def make_worker(store: Store, clock: Clock) -> Iterator[Callable[..., ChannelWorker]]:
    databases: list[Database] = []

    def make(
        sender: FakeSender,
        jitter: Callable[[], float] = random.random,
        **more: Any,  # noqa: ANN401 - breaker, window
    ) -> ChannelWorker:
        databases.append(Database(store.settings))
        claims = Claims(databases[-1], sender.channel, clock)
        return ChannelWorker(claims, sender, threads=THREADS, clock=clock, jitter=jitter, **more)

    yield make
    for database in databases:
        database.close()


def test_every_due_delivery_is_sent_once(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3 * MAX_CLAIMED + 1)])
    sender = FakeSender()

    counts = make_worker(sender).work(invocation())

    assert counts == {"sent": 3 * MAX_CLAIMED + 1}
    assert Counter(sender.sent).most_common(1)[0][1] == 1
    assert outbox.statuses() == {"sent": 3 * MAX_CLAIMED + 1}


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


def test_each_delivery_has_one_log_line(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, log: WrittenLog
) -> None:
    responses: dict[str, SendResponse] = {
        "secret 1": Accepted("mail-1"),
        "secret 2": Unreachable("no e-mail address known"),
        "secret 3": ProviderError(ErrorClass.PERMANENT, "MessageRejected: no"),
        "secret 4": ProviderError(ErrorClass.TRANSIENT, "Timeout"),
        "secret 5": ProviderError(ErrorClass.THROTTLED, "TooManyRequestsException"),
    }
    outbox.add_users(("user-123", "someone@example.com", None))
    new = [
        NewNotification(user_id="user-123", message=text, channels=EMAIL_ONLY) for text in responses
    ]
    outbox.add(*new)

    make_worker(FakeSender(respond=lambda one: responses[one.message])).work(invocation())

    lines = {line["notification_id"]: line for line in log.lines}
    assert [lines[one.id]["message"] for one in new] == [
        f"Notification {outcome}: device_released to user user-123"
        for outcome in ("sent", "skipped", "failed", "retried", "postponed")
    ]
    levels = ["INFO", "INFO", "ERROR", "WARNING", "INFO"]
    assert [lines[one.id]["level"] for one in new] == levels
    sent = lines[new[0].id]
    about = {"outcome": "sent", "channel": "email", "user_id": "user-123", "attempt": 1}
    about |= {"type": "device_released", "provider_message_id": "mail-1"}
    assert sent | about == sent
    assert len(log.lines) == len(new)
    assert not any(word in log.text for word in ("secret", "example.com", "设备"))


def test_log_lines_are_written_with_their_batch(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, log: WrittenLog
) -> None:
    count = 3 * MAX_CLAIMED
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(count)])
    window = SendWindow(initial_size=MAX_CLAIMED, max_size=MAX_CLAIMED)

    make_worker(FakeSender(), window=window).work(invocation())

    assert len(log.lines) == count
    assert log.writes <= count / 5


def test_deliveries_that_cannot_be_recorded_are_logged(
    make_worker: Callable[..., ChannelWorker],
    outbox: Outbox,
    log: WrittenLog,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise DatabaseUnavailableError("gone")

    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3)])
    monkeypatch.setattr("scheduler.outbox.claims.Claims.record", refuse)
    monkeypatch.setattr("notification_dispatch.channel_worker._RECORD_RETRY_DELAYS", ())

    with pytest.raises(DatabaseUnavailableError):
        make_worker(FakeSender()).work(invocation())

    assert {line["outcome"] for line in log.lines} == {"sent"}


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


def test_bug_in_making_batches_is_raised_instead_of_hanging(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    class Buggy(FakeSender):
        def batches(self, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
            yield deliveries[:1]
            raise ZeroDivisionError

    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(3)])
    ended: list[BaseException] = []

    def work() -> None:
        try:
            make_worker(Buggy()).work(invocation())
        except ZeroDivisionError as bug:
            ended.append(bug)

    Thread(target=work, daemon=True).start()

    eventually(lambda: len(ended) == 1, "the bug is raised")


def test_outage_stops_sending_and_costs_few_attempts(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(50)])
    sender = FakeSender(respond=lambda _: UNAVAILABLE)

    make_worker(sender).work(invocation())

    assert len(sender.sent) <= FAILURE_THRESHOLD + THREADS
    untouched = [row for row in outbox.rows() if row.attempts == 0]
    assert len(untouched) == 50 - len(sender.sent)
    assert all(row.claimed_until is None and row.status == "pending" for row in untouched)


def test_outage_of_five_minutes_loses_no_delivery(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(30)])
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


def test_when_the_time_is_up_the_rest_is_released_without_an_attempt(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(20)])
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


def test_hanging_channel_does_not_delay_another(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=(*EMAIL_ONLY, *WEBSOCKET_ONLY)) for _ in range(10)])
    release = Event()

    def hang(_: Delivery) -> SendResponse:
        release.wait()
        return Accepted()

    mail, push = make_worker(FakeSender(respond=hang)), make_worker(FakeSender(Channel.WEBSOCKET))
    both = invocation(workers=2)
    threads = [Thread(target=worker.work, args=(both,)) for worker in (mail, push)]
    for thread in threads:
        thread.start()

    eventually(
        lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 10}, "frames are sent meanwhile"
    )
    outbox.add(NewNotification(channels=WEBSOCKET_ONLY))
    eventually(lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 11}, "the new frame is sent")
    assert outbox.statuses(Channel.EMAIL) == {"pending": 10}

    release.set()
    for thread in threads:
        thread.join()
    assert outbox.statuses() == {"sent": 21}


def test_hanging_request_does_not_delay_new_deliveries(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    (stuck,) = outbox.add(NewNotification(channels=WEBSOCKET_ONLY))
    release = Event()

    def hang(delivery: Delivery) -> SendResponse:
        if delivery.notification_id == stuck:
            release.wait()
        return Accepted()

    sender = FakeSender(Channel.WEBSOCKET, hang)
    worker = make_worker(sender, window=SendWindow(THREADS))
    thread = Thread(target=worker.work, args=(invocation(),))
    thread.start()
    eventually(lambda: len(sender.sent) == 1, "one is in flight")
    outbox.add(NewNotification(channels=WEBSOCKET_ONLY))

    eventually(lambda: outbox.statuses() == {"pending": 1, "sent": 1}, "the other is sent")

    release.set()
    thread.join()


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
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(60)])

    make_worker(sender).work(invocation())

    assert unrecorded[:10] == [1] * 10
    assert max(unrecorded[10:]) <= 1 + 60 // 10


def test_concurrent_dispatchers_never_send_the_same_delivery(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(500)])
    sender = FakeSender()
    workers = [make_worker(sender) for _ in range(4)]

    counts = together(*[lambda one=one: one.work(invocation()) for one in workers])

    assert sum(one[DeliveryOutcome.SENT] for one in counts) == 500
    assert len(sender.sent) == len(set(sender.sent)) == 500
    assert not sender.overlapping


def test_claims_of_a_dead_dispatcher_are_taken_over_after_the_lease(
    make_worker: Callable[..., ChannelWorker], outbox: Outbox, database: Database, clock: Clock
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(5)])
    assert len(Claims(database, Channel.EMAIL, clock).claim(5, MINUTE)) == 5
    worker = make_worker(FakeSender())

    clock.wait(MINUTE - SECOND)
    assert worker.work(invocation()) == {}
    clock.wait(SECOND)
    assert worker.work(invocation()) == {"sent": 5}


def test_thousand_deliveries_take_a_bounded_number_of_statements(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    outbox.add(*[NewNotification(channels=EMAIL_ONLY) for _ in range(1000)])
    claims = Claims(database, Channel.EMAIL, clock)
    worker = ChannelWorker(claims, FakeSender(), threads=THREADS, clock=clock)

    with counted(database) as statements:
        worker.work(invocation())

    assert outbox.statuses() == {"sent": 1000}
    assert statements.total <= 30 * 10
