"""Lanes: what is due is sent and recorded, whatever a provider does."""

from __future__ import annotations

import random
import time
from collections import Counter
from datetime import timedelta
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import pytest

from notification_dispatch.breaker import FAILURES, OUTAGE_PAUSE, Breaker
from notification_dispatch.channels.sender import Accepted, Answer, Unreachable
from notification_dispatch.credit import Credit
from notification_dispatch.lane import CLAIM, Lane
from notification_dispatch.shift import Shift
from scheduler.database.connection import Database
from scheduler.domain.notices import Channel
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import Delivery, DeliveryOutcome
from scheduler.outbox.retry_policy import MAX_ATTEMPTS, ErrorClass, ProviderError
from scheduler.pipeline.deadline import Deadline
from tests.support.outbox import Outbox, Told
from tests.support.senders import FakeSender
from tests.support.statements import counted
from tests.support.together import eventually, together
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tests.support.clock import Clock
    from tests.support.store import Store


MAIL = (Channel.EMAIL,)
PUSH = (Channel.WEBSOCKET,)
THREADS = 4
AWAY = ProviderError(ErrorClass.TRANSIENT, "ServiceUnavailable")


def shift(workers: int = 1, seconds: float = 30) -> Shift:
    return Shift(Deadline(time.monotonic() + seconds), workers)


@pytest.fixture
def make_lane(store: Store, clock: Clock) -> Iterator[Callable[..., Lane]]:
    databases: list[Database] = []

    def make(
        sender: FakeSender,
        jitter: Callable[[], float] = random.random,
        **more: Any,  # noqa: ANN401 - breaker, credit
    ) -> Lane:
        databases.append(Database(store.settings))
        claims = Claims(databases[-1], sender.channel, clock)
        return Lane(claims, sender, threads=THREADS, clock=clock, jitter=jitter, **more)

    yield make
    for database in databases:
        database.close()


def test_everything_due_is_sent_once(make_lane: Callable[..., Lane], outbox: Outbox) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(3 * CLAIM + 1)])
    sender = FakeSender()

    tally = make_lane(sender).work(shift())

    assert tally == {"sent": 3 * CLAIM + 1}
    assert Counter(sender.asked).most_common(1)[0][1] == 1
    assert outbox.statuses() == {"sent": 3 * CLAIM + 1}


def test_each_answer_leads_to_its_end(make_lane: Callable[..., Lane], outbox: Outbox) -> None:
    answers: dict[str, Answer] = {
        "taken": Accepted("mail-1"),
        "nowhere": Unreachable("no e-mail address known"),
        "refused": ProviderError(ErrorClass.PERMANENT, "MessageRejected: no"),
        "too fast": ProviderError(ErrorClass.THROTTLED, "TooManyRequestsException"),
    }
    outbox.tell(*[Told(message=name, channels=MAIL) for name in answers])

    make_lane(FakeSender(answer=lambda one: answers[one.message])).work(shift())

    ends = [(row.status, row.attempts, row.last_error) for row in outbox.rows()]
    assert ends == [
        ("sent", 1, None),
        ("skipped", 0, "no e-mail address known"),
        ("failed", 1, "MessageRejected: no"),
        ("pending", 0, "TooManyRequestsException"),
    ]


def test_a_failure_is_tried_again_when_its_pause_is_over(
    make_lane: Callable[..., Lane], outbox: Outbox, clock: Clock
) -> None:
    outbox.tell(Told(channels=MAIL))
    sender = FakeSender(answer=lambda _: AWAY)
    lane = make_lane(sender, jitter=lambda: 1.0)

    assert lane.work(shift()) == {"retried": 1}
    assert lane.work(shift()) == {}
    clock.wait(30 * SECOND)
    sender.answer = lambda _: Accepted()
    assert lane.work(shift()) == {"sent": 1}


def test_the_sixth_failure_ends_it(
    make_lane: Callable[..., Lane], outbox: Outbox, clock: Clock
) -> None:
    outbox.tell(Told(channels=MAIL))
    lane = make_lane(FakeSender(answer=lambda _: AWAY), breaker=Breaker(clock.monotonic))

    tally: Counter[DeliveryOutcome] = Counter()
    for _ in range(10):
        tally += lane.work(shift())
        clock.wait(10 * MINUTE)

    assert tally == {"retried": 5, "failed": 1}
    assert outbox.rows()[0].last_error == "ServiceUnavailable"


def test_a_delivery_that_meets_a_bug_costs_only_itself(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    outbox.tell(*[Told(message="poison" if n == 3 else "fine", channels=MAIL) for n in range(9)])

    def answer(delivery: Delivery) -> Answer:
        if delivery.message == "poison":
            raise ZeroDivisionError
        return Accepted()

    assert make_lane(FakeSender(answer=answer)).work(shift()) == {"sent": 8, "retried": 1}
    assert outbox.rows()[3].last_error == "bug: ZeroDivisionError"


def test_a_bug_before_anything_is_sent_ends_the_work_instead_of_waiting_for_ever(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    class Buggy(FakeSender):
        def batches(self, deliveries: Sequence[Delivery]) -> Iterator[Sequence[Delivery]]:
            yield deliveries[:1]
            raise ZeroDivisionError

    outbox.tell(*[Told(channels=MAIL) for _ in range(3)])
    ended: list[BaseException] = []

    def work() -> None:
        try:
            make_lane(Buggy()).work(shift())
        except ZeroDivisionError as bug:
            ended.append(bug)

    Thread(target=work, daemon=True).start()

    eventually(lambda: len(ended) == 1, "the bug is told")


def test_an_outage_is_noticed_and_costs_hardly_any_attempts(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(50)])
    sender = FakeSender(answer=lambda _: AWAY)

    make_lane(sender).work(shift())

    assert len(sender.asked) <= FAILURES + THREADS
    untouched = [row for row in outbox.rows() if row.attempts == 0]
    assert len(untouched) == 50 - len(sender.asked)
    assert all(row.claimed_until is None and row.status == "pending" for row in untouched)


def test_a_provider_down_for_five_minutes_loses_nothing(
    make_lane: Callable[..., Lane], outbox: Outbox, clock: Clock
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(30)])
    sender = FakeSender(answer=lambda _: AWAY)
    lane = make_lane(sender, breaker=Breaker(clock.monotonic))

    while clock() < NOW + 5 * MINUTE:
        lane.work(shift())
        clock.wait(timedelta(seconds=OUTAGE_PAUSE))
    tries_in_vain = len(sender.asked)
    sender.answer = lambda _: Accepted()
    for _ in range(12):  # the schedule of the next minutes
        lane.work(shift())
        clock.wait(MINUTE)

    assert outbox.statuses() == {"sent": 30}
    assert tries_in_vain < 30
    assert max(row.attempts for row in outbox.rows()) <= MAX_ATTEMPTS


def test_when_the_time_is_up_the_rest_is_given_back_untouched(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(20)])
    one = shift()

    def answer(_: Delivery) -> Answer:
        one._ends_at = 0.0  # the time runs out while the first are sent
        return Accepted()

    tally = make_lane(FakeSender(answer=answer)).work(one)

    assert 1 <= tally[DeliveryOutcome.SENT] <= THREADS
    rest = [row for row in outbox.rows() if row.status == "pending"]
    assert len(rest) == 20 - tally[DeliveryOutcome.SENT]
    assert all(row.claimed_until is None and row.attempts == 0 for row in rest)


def test_nothing_is_begun_without_time(make_lane: Callable[..., Lane], outbox: Outbox) -> None:
    outbox.tell(Told(channels=MAIL))

    assert make_lane(FakeSender()).work(shift(seconds=0)) == {}


def test_a_lease_outlives_whatever_is_sent_under_it() -> None:
    assert shift(seconds=10).lease > timedelta(seconds=10 + 15)


def test_a_channel_that_hangs_holds_up_no_other(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    outbox.tell(*[Told(channels=(*MAIL, *PUSH)) for _ in range(10)])
    answered = Event()

    def hang(_: Delivery) -> Answer:
        answered.wait()
        return Accepted()

    mail, push = make_lane(FakeSender(answer=hang)), make_lane(FakeSender(Channel.WEBSOCKET))
    both = shift(workers=2)
    threads = [Thread(target=lane.work, args=(both,)) for lane in (mail, push)]
    for thread in threads:
        thread.start()

    eventually(lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 10}, "pushed meanwhile")
    outbox.tell(Told(channels=PUSH))
    eventually(lambda: outbox.statuses(Channel.WEBSOCKET) == {"sent": 11}, "the new one too")
    assert outbox.statuses(Channel.EMAIL) == {"pending": 10}

    answered.set()
    for thread in threads:
        thread.join()
    assert outbox.statuses() == {"sent": 21}


def test_one_thread_that_hangs_holds_up_no_new_delivery(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    (stuck,) = outbox.tell(Told(channels=PUSH))
    answered = Event()

    def hang(delivery: Delivery) -> Answer:
        if delivery.notification_id == stuck:
            answered.wait()
        return Accepted()

    sender = FakeSender(Channel.WEBSOCKET, hang)
    experienced = make_lane(sender, credit=Credit(THREADS))
    thread = Thread(target=experienced.work, args=(shift(),))
    thread.start()
    eventually(lambda: len(sender.asked) == 1, "one is under way")
    outbox.tell(Told(channels=PUSH))

    eventually(lambda: outbox.statuses() == {"pending": 1, "sent": 1}, "the other is sent")

    answered.set()
    thread.join()


def test_a_lane_that_has_just_begun_sends_none_before_the_last_is_recorded(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    """What is sent and not recorded is sent twice if it is killed now."""
    unrecorded: list[int] = []
    one_asks = Lock()

    def send(_: Delivery) -> Answer:
        with one_asks:
            # In this order: while the database is asked others may be recorded, and sent.
            asked = len(sender.asked)
            unrecorded.append(asked - outbox.statuses().get("sent", 0))
        return Accepted()

    sender = FakeSender(answer=send)
    outbox.tell(*[Told(channels=MAIL) for _ in range(60)])

    make_lane(sender).work(shift())

    assert unrecorded[:10] == [1] * 10
    assert max(unrecorded[10:]) <= 1 + 60 // 10


def test_lanes_of_several_dispatchers_never_send_the_same(
    make_lane: Callable[..., Lane], outbox: Outbox
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(500)])
    sender = FakeSender()
    lanes = [make_lane(sender) for _ in range(4)]

    tallies = together(*[lambda lane=lane: lane.work(shift()) for lane in lanes])

    assert sum(tally[DeliveryOutcome.SENT] for tally in tallies) == 500
    assert len(sender.asked) == len(set(sender.asked)) == 500
    assert not sender.overlapping


def test_the_claims_of_a_dead_dispatcher_are_taken_over_after_its_lease(
    make_lane: Callable[..., Lane], outbox: Outbox, database: Database, clock: Clock
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(5)])
    assert len(Claims(database, Channel.EMAIL, clock).claim(5, MINUTE)) == 5
    lane = make_lane(FakeSender())

    clock.wait(MINUTE - SECOND)
    assert lane.work(shift()) == {}
    clock.wait(SECOND)
    assert lane.work(shift()) == {"sent": 5}


def test_a_thousand_deliveries_cost_a_bounded_number_of_statements(
    database: Database, outbox: Outbox, clock: Clock
) -> None:
    outbox.tell(*[Told(channels=MAIL) for _ in range(1000)])
    claims = Claims(database, Channel.EMAIL, clock)
    lane = Lane(claims, FakeSender(), threads=THREADS, clock=clock)

    with counted(database) as statements:
        lane.work(shift())

    assert outbox.statuses() == {"sent": 1000}
    assert statements.total <= 30 * 10
