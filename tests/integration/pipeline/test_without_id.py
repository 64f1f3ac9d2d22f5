"""Messages whose publisher gave them no id."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.ops.running import DeadLetters
from tests.integration.pipeline.hops import consume, consume_retries
from tests.support.counter import FakeCounter
from tests.support.events import QUEUE_OF, message
from tests.support.functions import Functions
from tests.support.logged import logged
from tests.support.world import MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta

    from scheduler.messaging.message import Message
    from scheduler.payments.failure import Failure
    from tests.support.clock import Clock
    from tests.support.queues import Queues
    from tests.support.store import Store

PAYMENT: Final = QUEUE_OF["billing.payment_failed"]
FEW = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


class CrashError(BaseException):
    """The process dies; a BaseException, because no `except Exception` may catch it."""


class CrashingCounter(FakeCounter):
    """A counter whose process dies after some of its counts."""

    def __init__(self) -> None:
        super().__init__()
        self.crashes = 0

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        found = super().count(user_id, message_id, at, now)
        if self.crashes:
            self.crashes -= 1
            raise CrashError
        return found

    def count_together(self, failures: Sequence[Failure], now: datetime) -> dict[str, int | None]:
        return {one.message_id: self.count(*one, now) for one in failures}


@pytest.fixture
def counter() -> CrashingCounter:
    return CrashingCounter()


@pytest.fixture
def functions(
    database_url: str, broker_url: str, clock: Clock, counter: CrashingCounter
) -> Iterator[Functions]:
    with Functions(database_url, broker_url, clock=clock, counter=counter) as made:
        yield made


def unnamed(event_type: str, **about: Any) -> Message:  # noqa: ANN401 - any field
    return message(event_type, id=None, **about)


def again(sent: Message) -> Message:
    """Return the message as the broker delivers it once more."""
    return sent._replace(redelivered=True)


def test_same_suspension_after_an_activation_suspends_again(
    store: Store, functions: Functions, clock: Clock
) -> None:
    store.seed(world(held("d1")))
    suspended = unnamed("user.suspended", reason="same words")

    for sent in (suspended, unnamed("user.activated"), suspended):
        clock.wait(MINUTE)
        assert functions.handle(sent) == {"success": 1}

    assert [row.status for row in store.state()["users"]] == ["suspended"]


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("at", [None, NOW])
def test_three_equal_failed_payments_count_three(
    batches: int,
    at: datetime | None,
    store: Store,
    functions: Functions,
    counter: CrashingCounter,
) -> None:
    store.seed(world(held("d1"), held("d2")))
    sent = 3 * [unnamed("billing.payment_failed", at=at)]

    for n in range(batches):
        functions.handle(*sent[n::batches])

    assert counter.current("u1", NOW) == 3
    state = store.state()
    assert {row.status for row in state["allocations"]} == {"RELEASED"}
    assert state["users"][0].billing_hold


@pytest.mark.parametrize("crashes", [1, 2])
def test_crash_between_count_and_commit_counts_each_payment_once(
    crashes: int, store: Store, functions: Functions, counter: CrashingCounter
) -> None:
    store.seed(world(user("u1"), user("u2"), user("u3")))
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u1", "u2", "u1")]
    for _ in range(crashes):
        counter.crashes = 1
        with pytest.raises(CrashError):
            functions.handle(*sent)
        sent = [again(one) for one in sent]

    assert functions.handle(*sent) == {"success": 4}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [3, 1]
    types = Counter(row.type for row in store.state()["notifications"])
    assert types.total() == 4
    if crashes == 1:  # after two they run alone, and may see the counts of those behind them
        assert types == {"billing_alert": 3, "service_suspended": 1}


def test_copy_redelivered_after_the_commit_is_a_duplicate(
    store: Store, functions: Functions, counter: CrashingCounter
) -> None:
    store.seed(world(held("d1")))
    sent = [unnamed("billing.payment_failed") for _ in range(2)]
    assert functions.handle(*sent) == {"success": 2}

    assert functions.handle(*map(again, sent)) == {"duplicate": 2}

    assert counter.current("u1", NOW) == 2
    assert len(store.state()["processed"]) == 2


def test_copy_that_no_run_has_seen_is_applied(
    functions: Functions, clock: Clock, counter: CrashingCounter
) -> None:
    """The broker delivered it to a consumer that died before it was invoked."""
    sent = unnamed("billing.payment_failed", at=NOW)
    assert functions.handle(sent) == {"success": 1}
    clock.wait(61 * MINUTE)

    assert functions.handle(again(sent)) == {"success": 1}

    assert counter.current("u1", clock.now) == 2


def test_copy_that_no_run_has_seen_is_applied_once_the_equal_one_is_acknowledged(
    functions: Functions, counter: CrashingCounter
) -> None:
    sent = unnamed("billing.payment_failed")
    assert functions.handle(sent) == {"success": 1}
    # The broker redelivers in order: the batch before is acknowledged.
    other = again(message("billing.payment_failed"))

    assert functions.handle(other, again(sent)) == {"success": 2}

    assert counter.current("u1", NOW) == 3


def test_redelivered_batch_may_be_split(functions: Functions, counter: CrashingCounter) -> None:
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2", "u1", "u3")]
    assert functions.handle(*sent) == {"success": 4}

    for first, last in ((0, 1), (1, 3), (3, 4)):
        part = [again(one) for one in sent[first:last]]
        assert functions.handle(*part) == {"duplicate": len(part)}
    assert functions.handle(*sent[:1]) == {"success": 1}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2", "u3")] == [3, 1, 1]


def test_batch_may_be_acknowledged_in_part(functions: Functions, counter: CrashingCounter) -> None:
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2", "u1", "u3")]
    assert functions.handle(*sent) == {"success": 4}

    assert functions.handle(*map(again, sent[1:])) == {"duplicate": 3}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2", "u3")] == [2, 1, 1]


def test_message_of_a_returned_batch_is_recognised_by_the_batch_that_applied_it(
    functions: Functions, counter: CrashingCounter
) -> None:
    """It got its id in one batch, whose run died, and was applied behind others in another."""
    first, second = (unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2"))
    counter.crashes = 1
    with pytest.raises(CrashError):
        functions.handle(second)
    assert functions.handle(again(first), again(second)) == {"success": 2}

    assert functions.handle(again(first), again(second)) == {"duplicate": 2}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [1, 1]


def test_message_that_was_never_applied_keeps_its_id_for_a_day(
    store: Store, functions: Functions, clock: Clock, counter: CrashingCounter
) -> None:
    sent = unnamed("billing.payment_failed")
    counter.crashes = 1
    with pytest.raises(CrashError):
        functions.handle(sent)
    clock.wait(20 * 60 * MINUTE)

    assert functions.handle(again(sent)) == {"success": 1}

    assert counter.current("u1", clock.now) == 1
    assert len(store.state()["processed"]) == 1


def test_retried_message_keeps_its_id_beside_an_equal_one(
    store: Store, functions: Functions, queues: Queues, counter: CrashingCounter, broker_url: str
) -> None:
    store.seed(world(user("u1")))
    sent = unnamed("billing.payment_failed")
    with Functions("mysql://nobody@127.0.0.1:1/nowhere", broker_url) as away:
        assert away.handle(sent) == {"retried": 1}
    assert functions.handle(sent) == {"success": 1}

    assert consume_retries(functions, queues, PAYMENT) == {"success": 1}

    assert counter.current("u1", NOW) == 2


@pytest.mark.parametrize("outage", [MINUTE, 120 * MINUTE])
@pytest.mark.parametrize("crash", [True, False])
def test_redelivered_message_that_is_parked_in_an_outage_is_counted_once(  # noqa: PLR0913
    *,
    crash: bool,
    outage: timedelta,
    store: Store,
    functions: Functions,
    queues: Queues,
    counter: CrashingCounter,
    clock: Clock,
    broker_url: str,
) -> None:
    """The outage begins after the commit, or after a crash between the count and the commit."""
    store.seed(world(user("u1")))
    sent = unnamed("billing.payment_failed")
    if crash:
        counter.crashes = 1
        with pytest.raises(CrashError):
            functions.handle(sent)
    else:
        assert functions.handle(sent) == {"success": 1}
    with Functions("mysql://nobody@127.0.0.1:1/cloudphone", broker_url, clock=clock) as without:
        assert without.handle(again(sent)) == {"retried": 1}
        clock.wait(outage)
        assert consume_retries(without, queues, PAYMENT) == {"retried": 1}

    assert consume_retries(functions, queues, PAYMENT) == {"success" if crash else "duplicate": 1}
    assert counter.current("u1", NOW) == 1


@pytest.mark.parametrize(
    "died_and_settled",
    [("before the count", "success"), ("before the commit", "success"), ("after", "duplicate")],
)
def test_replayed_killer_is_counted_once(
    died_and_settled: tuple[str, str],
    store: Store,
    functions: Functions,
    queues: Queues,
    counter: CrashingCounter,
    clock: Clock,
    broker_url: str,
) -> None:
    died, settled = died_and_settled
    sent = unnamed("billing.payment_failed")
    assert functions.handle(sent) == {"success": 1}
    clock.wait(61 * MINUTE)
    if died == "before the commit":
        counter.crashes = 1
        with pytest.raises(CrashError):
            functions.handle(sent)
    if died == "after":
        with Functions(
            store.settings.database_url.get_secret_value(), clock=clock, counter=counter
        ) as died_later:
            assert died_later.handle(sent) == {"success": 1}
    clock.wait(MINUTE)
    with store.database.transaction() as cursor:
        cursor.execute(
            "INSERT INTO delivery_attempts (queue, message_id, attempts, last_at)"
            " VALUES (%s, %s, 2, %s)",
            (PAYMENT, sent.delivery_key, NOW),
        )
    assert functions.handle(again(sent)) == {"dead_lettered": 1}

    assert DeadLetters(broker_url).json("replay")["replayed"] == 1
    clock.wait(5 * 24 * 60 * MINUTE)
    assert consume(functions, queues, PAYMENT) == {settled: 1}

    assert counter.current("u1", clock.now) == 2
    assert len(store.state()["processed"]) == 2


def test_messages_without_an_id_are_warned_about_once_a_batch(functions: Functions) -> None:
    batch = [unnamed("billing.payment_failed") for _ in range(3)]
    with logged() as lines:
        functions.handle(*batch, message("billing.payment_failed"))
        functions.handle(message("billing.payment_failed"))
        warnings = [line for line in lines() if "set message_id" in line["message"]]

    ((level, count),) = [(line["level"], line["messages"]) for line in warnings]
    assert (level, count) == ("WARNING", 3)


@FEW
@given(data=st.data(), size=st.integers(1, 6))
def test_any_crashes_count_each_payment_once(
    store: Store, database_url: str, data: st.DataObject, size: int
) -> None:
    """Batches of equal payments, of which any run may die after any count or after its commit."""
    store.clear()
    users = data.draw(st.lists(st.sampled_from(["u1", "u2"]), min_size=size, max_size=size))
    left = [unnamed("billing.payment_failed", userId=id_) for id_ in users]
    counter, crashes_left = CrashingCounter(), 2  # after four, a message counts as a killer
    with Functions(database_url, counter=counter, database=store.database) as functions:
        while left:
            batch = left[: data.draw(st.integers(1, len(left)))]
            counter.crashes = data.draw(st.integers(0, 1)) if crashes_left else 0
            crashes_left -= counter.crashes
            try:
                functions.handle(*batch)
                lost = data.draw(st.sampled_from([False, False, True]))
            except CrashError:
                lost = True
            # Without the acknowledgement, the broker delivers the batch again, and the rest of the
            # queue as it was.
            left = [again(one) for one in batch] * lost + left[len(batch) :]

    assert counter.current("u1", NOW) == users.count("u1")
    assert counter.current("u2", NOW) == users.count("u2")
    assert len(store.state()["processed"]) == size
