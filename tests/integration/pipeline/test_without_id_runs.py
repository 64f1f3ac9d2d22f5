"""Messages without an id are recognised by the runs that received them and did not end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, NoReturn

import pymysql
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymysql.constants import CR, ER

from scheduler.database import unidentified
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.deadline import Deadline
from scheduler.messaging.outbound import BrokerUnavailableError
from tests.integration.pipeline.crashing import CrashError, CrashingCounter, dying_at_the_end
from tests.integration.pipeline.unnamed import again, payment
from tests.support.events import message, mq_event
from tests.support.functions import Functions
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.store import Store


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


def test_batch_whose_run_ended_is_recognised_when_it_returns_from_its_first_message(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    sent = [payment(id_) for id_ in ("u1", "u2", "u1")]
    assert new_environment().handle(*sent) == {"success": 3}

    assert new_environment().handle(*map(again, sent)) == {"duplicate": 3}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [2, 1]


def test_batch_whose_run_ended_is_recognised_behind_others_by_the_id_of_its_first_message(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    named, between, other = (
        message("billing.payment_failed", userId=id_) for id_ in ("u2", "u4", "u3")
    )
    assert new_environment().handle(named, between, payment()) == {"success": 3}

    settled = new_environment().handle(*map(again, (other, named, payment())))

    assert settled == {"success": 1, "duplicate": 2}
    assert [counter.current(id_, NOW) for id_ in ("u1", "u2", "u3")] == [1, 1, 1]


@pytest.mark.parametrize("errno", [ER.LOCK_WAIT_TIMEOUT, CR.CR_SERVER_GONE_ERROR])
def test_run_whose_end_cannot_be_stored_fails_and_loses_no_equal_message(
    errno: int,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The database goes away after the commit, and then the environment dies."""
    with monkeypatch.context() as patch:
        patch.setattr(unidentified, "end", _failing(errno))
        with pytest.raises((DatabaseUnavailableError, pymysql.OperationalError)):
            new_environment().handle(payment())

    settled = [
        new_environment().handle(again(message("billing.payment_failed", userId=id_)), sent)
        for id_, sent in (("u2", again(payment())), ("u3", again(payment())))
    ]

    assert settled == [{"success": 1, "duplicate": 1}, {"success": 2}]
    assert counter.current("u1", NOW) == 2


@pytest.mark.usefixtures("without_waiting")
def test_end_of_a_run_is_stored_after_the_time_for_new_work(
    store: Store, connected: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = unidentified.claim

    def at_the_last_moment(*arguments: Any) -> None:  # noqa: ANN401 - those of the statement
        claim(*arguments)
        connected.database.deadline = Deadline(0)

    monkeypatch.setattr(unidentified, "claim", at_the_last_moment)
    context = SimpleNamespace(get_remaining_time_in_millis=lambda: 120_000)

    assert connected.invoke("billing", mq_event(payment()), context) == {"retried": 1}

    assert store.rows("SELECT run_ended FROM unidentified_messages") == [(1,)]


def test_end_that_is_stored_ends_no_later_run_of_the_same_message(
    new_environment: Callable[[], Functions], counter: CrashingCounter
) -> None:
    first = new_environment()
    assert first.handle(payment()) == {"success": 1}
    with dying_at_the_end(), pytest.raises(CrashError):
        new_environment().handle(again(payment()))
    assert first.handle(payment("u2")) == {"success": 1}
    other = again(message("billing.payment_failed", userId="u4"))  # so the batch is another

    assert new_environment().handle(other, again(payment())) == {"success": 1, "duplicate": 1}

    assert counter.current("u1", NOW) == 1


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


def _failing(errno: int) -> Callable[..., NoReturn]:
    def fail(*_: object) -> NoReturn:
        raise pymysql.OperationalError(errno, "failed")

    return fail
