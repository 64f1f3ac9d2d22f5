"""Messages without an id are recognised by the runs that received them and did not end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.database import unidentified
from scheduler.messaging.message import UNCLAIMED_BATCH_HEADER
from scheduler.messaging.outbound import BrokerUnavailableError
from tests.integration.pipeline.crashing import CrashError, CrashingCounter, dying_at_the_end
from tests.integration.pipeline.hops import consume_retries, consume_retries_apart, retries
from tests.integration.pipeline.unnamed import PAYMENT, again, unnamed
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import MINUTE, NOW, user, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.messaging.message import Message
    from tests.support.clock import Clock
    from tests.support.queues import Queues
    from tests.support.store import Store

AWAY = "mysql://nobody@127.0.0.1:1/cloudphone"


def payment(user_id: str = "u1") -> Message:
    return unnamed("billing.payment_failed", userId=user_id)


@pytest.fixture
def new_environment(
    store: Store, broker_url: str, clock: Clock, counter: CrashingCounter
) -> Iterator[Callable[[], Functions]]:
    """Return a function that starts an environment, which remembers nothing."""
    made: list[Functions] = []

    def start() -> Functions:
        url = store.settings.database_url.get_secret_value()
        made.append(Functions(url, broker_url, clock=clock, counter=counter))
        return made[-1]

    yield start
    for one in made:
        one.__exit__()


def test_batch_of_a_run_that_died_after_its_commit_is_recognised_in_other_batches(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    sent = [payment(id_) for id_ in ("u1", "u2", "u1", "u3")]
    with dying_at_the_end(), pytest.raises(CrashError):
        new_environment().handle(*sent)

    other = again(message("billing.payment_failed", userId="u4"))
    batches = [[other, again(sent[3])], [again(sent[2]), payment("u2")], [again(sent[1])]]
    settled = [new_environment().handle(*batch) for batch in batches]
    last = new_environment().handle(payment("u5"), again(sent[0]))

    assert settled == [{"success": 1, "duplicate": 1}] * 2 + [{"duplicate": 1}]
    assert last == {"success": 1, "duplicate": 1}
    assert [counter.current(f"u{n}", NOW) for n in range(1, 6)] == [2, 2, 1, 1, 1]


def test_equal_message_that_no_run_has_seen_is_not_taken_for_one_whose_run_ended(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    assert new_environment().handle(message("billing.payment_failed"), payment()) == {"success": 2}

    assert new_environment().handle(again(payment())) == {"success": 1}

    assert counter.current("u1", NOW) == 3


def test_end_that_cannot_be_stored_is_remembered_and_stored_with_the_next(
    store: Store, connected: Functions, counter: CrashingCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(unidentified, "end", _refused)
        assert connected.handle(payment()) == {"success": 1}
    other = again(message("billing.payment_failed", userId="u2"))  # so the batch is another

    assert connected.handle(other, again(payment())) == {"success": 2}

    assert counter.current("u1", NOW) == 2
    with store.database.transaction() as cursor:
        cursor.execute("SELECT run_ended FROM unidentified_messages")
        assert list(cursor.fetchall()) == [(1,), (1,)]


def test_end_of_a_run_ends_no_failed_run_of_another_queue(
    connected: Functions, counter: CrashingCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(connected.publisher, "publish", _unavailable)
        with pytest.raises(BrokerUnavailableError):
            connected.handle(message("billing.payment_failed", userId="u2"), payment())
    assert connected.handle(message("billing.overdue", userId="u3")) == {"success": 1}
    other = again(message("billing.payment_failed", userId="u4"))  # so the batch is another

    assert connected.handle(other, again(payment())) == {"success": 1, "duplicate": 1}

    assert counter.current("u1", NOW) == 1


def test_message_parked_for_days_keeps_the_id_that_it_got_afterwards(
    store: Store,
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    clock: Clock,
    broker_url: str,
) -> None:
    store.seed(world(user("u1")))
    with Functions(AWAY, broker_url, clock=clock) as without:
        assert without.handle(payment()) == {"retried": 1}
    clock.wait(3 * 24 * 60 * MINUTE)
    (copy,) = retries(queues, PAYMENT)
    with dying_at_the_end(), pytest.raises(CrashError):
        new_environment().handle(copy)

    other = again(message("billing.payment_failed", userId="u4"))
    settled = new_environment().handle(other, again(copy))

    assert settled == {"success": 1, "duplicate": 1}
    assert counter.current("u1", clock.now) == 1


@pytest.mark.parametrize("copy_first", [True, False])
@pytest.mark.parametrize("seen", [True, False])
@pytest.mark.parametrize("parked", [1, 2])
def test_parked_copy_and_its_original_are_applied_once(  # noqa: PLR0913 - fixtures
    *,
    copy_first: bool,
    seen: bool,
    parked: int,
    store: Store,
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    broker_url: str,
    clock: Clock,
) -> None:
    """The database is unavailable, and the run that parks the message dies before it returns."""
    store.seed(world(user("u1")))
    sent = payment()
    if seen:
        with dying_at_the_end(), pytest.raises(CrashError):
            new_environment().handle(sent)
        sent = again(sent)
    for _ in range(parked):
        clock.wait(MINUTE)
        with Functions(AWAY, broker_url, clock=clock) as without:
            assert without.handle(sent) == {"retried": 1}
        sent = again(sent)
    clock.wait(MINUTE)

    functions = new_environment()
    if copy_first and (seen or parked > 1):
        consume_retries_apart(functions, queues, PAYMENT)
        functions.handle(sent)
    else:
        functions.handle(sent)
        consume_retries_apart(functions, queues, PAYMENT)

    assert counter.current("u1", clock.now) == 1


def test_equal_messages_that_are_parked_in_an_outage_are_each_applied(
    store: Store,
    queues: Queues,
    connected: Functions,
    counter: CrashingCounter,
    broker_url: str,
) -> None:
    store.seed(world(user("u1")))
    with Functions(AWAY, broker_url) as without:
        for batch in ([payment()], [payment(), payment()]):
            assert without.handle(*batch) == {"retried": len(batch)}
    assert connected.handle(payment()) == {"success": 1}

    assert consume_retries(connected, queues, PAYMENT) == {"success": 3}

    assert counter.current("u1", NOW) == 4


@pytest.mark.parametrize("value", ["x" * 1000, "中文", 7, ""])
def test_any_value_of_the_header_of_parked_copies_is_accepted(
    value: object, connected: Functions
) -> None:
    sent = unnamed("billing.payment_failed", headers={UNCLAIMED_BATCH_HEADER: value})

    assert connected.handle(sent) == {"success": 1}


@settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data(), size=st.integers(1, 6))
def test_any_deaths_and_any_batches_afterwards_count_each_payment_once(
    store: Store, database_url: str, data: st.DataObject, size: int
) -> None:
    """A run may die after a count or after its commit; what it held returns in any order."""
    store.clear()
    users = data.draw(st.lists(st.sampled_from(["u1", "u2"]), min_size=size, max_size=size))
    left, deaths_left = [payment(id_) for id_ in users], 2  # after four, it counts as a killer
    counter = CrashingCounter()
    while left:
        batch = left[: data.draw(st.integers(1, len(left)))]
        rest = left[len(batch) :]
        death = data.draw(st.sampled_from(["", "count", "end"])) if deaths_left else ""
        counter.crashes = int(death == "count")
        with Functions(database_url, counter=counter, database=store.database) as functions:
            try:
                if death == "end":
                    with dying_at_the_end():
                        functions.handle(*batch)
                else:
                    functions.handle(*batch)
                left = rest
            except CrashError:
                deaths_left -= 1
                left = data.draw(st.permutations([again(one) for one in batch])) + rest

    assert counter.current("u1", NOW) == users.count("u1")
    assert counter.current("u2", NOW) == users.count("u2")
    assert len(store.state()["processed"]) == size


def _unavailable(*_: object) -> None:
    raise BrokerUnavailableError("the broker is unavailable")


def _refused(*_: object) -> None:
    raise pymysql.OperationalError(1205, "Lock wait timeout exceeded")
