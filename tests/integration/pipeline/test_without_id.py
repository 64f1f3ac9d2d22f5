"""Messages without an id are recognised when the broker delivers their batch again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.database import unidentified
from scheduler.database.errors import DatabaseUnavailableError
from tests.integration.pipeline.crashing import CrashError, CrashingCounter
from tests.integration.pipeline.unnamed import again, payment, unnamed
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.logged import logged
from tests.support.world import MINUTE, NOW, held, user, world

if TYPE_CHECKING:
    from datetime import datetime

    from tests.support.clock import Clock
    from tests.support.store import Store

FEW = settings(
    max_examples=50,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def test_same_suspension_after_an_activation_suspends_again(
    store: Store, connected: Functions, clock: Clock
) -> None:
    store.seed(world(held("d1")))
    suspended = unnamed("user.suspended", reason="same words")

    for sent in (suspended, unnamed("user.activated"), suspended):
        clock.wait(MINUTE)
        assert connected.handle(sent) == {"success": 1}

    assert [row.status for row in store.state()["users"]] == ["suspended"]


@pytest.mark.parametrize("batches", [1, 3])
@pytest.mark.parametrize("at", [None, NOW])
def test_three_equal_failed_payments_count_three(
    batches: int,
    at: datetime | None,
    store: Store,
    connected: Functions,
    counter: CrashingCounter,
) -> None:
    store.seed(world(held("d1"), held("d2")))
    sent = 3 * [unnamed("billing.payment_failed", at=at)]

    for n in range(batches):
        connected.handle(*sent[n::batches])

    assert counter.current("u1", NOW) == 3
    state = store.state()
    assert {row.status for row in state["allocations"]} == {"RELEASED"}
    assert state["users"][0].billing_hold


@pytest.mark.parametrize("crashes", [1, 2])
def test_crash_between_count_and_commit_counts_each_payment_once(
    crashes: int, store: Store, connected: Functions, counter: CrashingCounter
) -> None:
    store.seed(world(user("u1"), user("u2"), user("u3")))
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u1", "u2", "u1")]
    for _ in range(crashes):
        counter.crashes = 1
        with pytest.raises(CrashError):
            connected.handle(*sent)
        sent = [again(one) for one in sent]

    assert connected.handle(*sent) == {"success": 4}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [3, 1]
    types = Counter(row.type for row in store.state()["notifications"])
    assert types.total() == 4
    if crashes == 1:  # after two they run alone, and may see the counts of those behind them
        assert types == {"billing_alert": 3, "service_suspended": 1}


def test_copy_redelivered_after_the_commit_is_a_duplicate(
    store: Store, connected: Functions, counter: CrashingCounter
) -> None:
    store.seed(world(held("d1")))
    sent = [unnamed("billing.payment_failed") for _ in range(2)]
    assert connected.handle(*sent) == {"success": 2}

    assert connected.handle(*map(again, sent)) == {"duplicate": 2}

    assert counter.current("u1", NOW) == 2
    assert len(store.state()["processed"]) == 2


def test_copy_that_no_run_has_seen_is_applied(
    connected: Functions, clock: Clock, counter: CrashingCounter
) -> None:
    """The broker delivered it to a consumer that died before it was invoked."""
    sent = unnamed("billing.payment_failed", at=NOW)
    assert connected.handle(sent) == {"success": 1}
    clock.wait(61 * MINUTE)

    assert connected.handle(again(sent)) == {"success": 1}

    assert counter.current("u1", clock.now) == 2


def test_copy_that_no_run_has_seen_is_applied_once_the_equal_one_is_acknowledged(
    connected: Functions, counter: CrashingCounter
) -> None:
    sent = unnamed("billing.payment_failed")
    assert connected.handle(sent) == {"success": 1}
    # The broker redelivers in order: the batch before is acknowledged.
    other = again(message("billing.payment_failed"))

    assert connected.handle(other, again(sent)) == {"success": 2}

    assert counter.current("u1", NOW) == 3


def test_redelivered_batch_may_be_split(connected: Functions, counter: CrashingCounter) -> None:
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2", "u1", "u3")]
    assert connected.handle(*sent) == {"success": 4}

    for first, last in ((0, 1), (1, 3), (3, 4)):
        part = [again(one) for one in sent[first:last]]
        assert connected.handle(*part) == {"duplicate": len(part)}
    assert connected.handle(*sent[:1]) == {"success": 1}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2", "u3")] == [3, 1, 1]


def test_batch_may_be_acknowledged_in_part(connected: Functions, counter: CrashingCounter) -> None:
    sent = [unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2", "u1", "u3")]
    assert connected.handle(*sent) == {"success": 4}

    assert connected.handle(*map(again, sent[1:])) == {"duplicate": 3}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2", "u3")] == [2, 1, 1]


def test_message_of_a_returned_batch_is_recognised_by_the_batch_that_applied_it(
    connected: Functions, counter: CrashingCounter
) -> None:
    """It got its id in one batch, whose run died, and was applied behind others in another."""
    first, second = (unnamed("billing.payment_failed", userId=id_) for id_ in ("u1", "u2"))
    counter.crashes = 1
    with pytest.raises(CrashError):
        connected.handle(second)
    assert connected.handle(again(first), again(second)) == {"success": 2}

    assert connected.handle(again(first), again(second)) == {"duplicate": 2}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [1, 1]


def test_messages_without_an_id_are_warned_about_once_a_batch(connected: Functions) -> None:
    batch = [unnamed("billing.payment_failed") for _ in range(3)]
    with logged() as lines:
        connected.handle(*batch, message("billing.payment_failed"))
        connected.handle(message("billing.payment_failed"))
        warnings = [line for line in lines() if "set message_id" in line["message"]]

    (warning,) = warnings
    assert (warning["level"], warning["messages"]) == ("WARNING", 3)
    assert warning["event_type"] == "billing.payment_failed"


def test_message_without_an_id_waits_a_moment_for_the_database(
    connected: Functions, counter: CrashingCounter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as one with an id does: it is parked only if the database stays away."""
    claim, attempts = unidentified.claim, []

    def at_third(*arguments: Any) -> None:  # noqa: ANN401 - those of the statement
        attempts.append(arguments)
        if len(attempts) < 3:
            raise DatabaseUnavailableError("restarting")
        claim(*arguments)

    monkeypatch.setattr(unidentified, "claim", at_third)

    assert connected.handle(payment()) == {"success": 1}

    assert counter.current("u1", NOW) == 1


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
