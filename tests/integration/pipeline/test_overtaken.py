"""Commits of other transactions between the snapshot of a batch and its commit."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from scheduler.database import load
from scheduler.database.cursor import BulkCursor, PendingResult
from scheduler.database.errors import DatabaseUnavailableError
from scheduler.domain.model import User
from scheduler.domain.state import Snapshot
from scheduler.domain.work import Work
from scheduler.messaging.message import Message
from scheduler.pipeline.event_rules import EventRules
from tests.support.counter import FakeCounter
from tests.support.deciding import FAMILIES, handling_of
from tests.support.events import QUEUE_OF, message
from tests.support.functions import Functions
from tests.support.statements import counted
from tests.support.store import Store
from tests.support.world import MINUTE, NOW, device, held, user, world


def counted_twice() -> FakeCounter:
    """Return a counter of two failed payments, five and four minutes ago."""
    counter = FakeCounter()
    for minutes in (5, 4):
        counter.count("u1", f"before-{minutes}", NOW - minutes * MINUTE, NOW)
    return counter


class Paying(FakeCounter):
    """Counts in another counter; a payment is applied between its third count and the commit."""

    def __init__(self, counter: FakeCounter, others: Functions, paid: Message) -> None:
        super().__init__()
        self._counter, self._others, self._paid = counter, others, paid

    def count(self, user_id: str, message_id: str, at: datetime, now: datetime) -> int | None:
        count = self._counter.count(user_id, message_id, at, now)
        if count == 3:
            assert self._others.handle(self._paid) == {"success": 1}
        return count


def interrupted(event_type: str, once: Callable[[], object]) -> dict[str, EventRules]:
    """Return rules that call a function once, while the first message is decided."""
    handling = handling_of(QUEUE_OF[event_type])
    rules, waiting = EventRules(), [once]

    def rule(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        if waiting:
            waiting.pop()()
        handling.rule(event, work)

    rules.on(handling.contract)(rule)
    return {**FAMILIES, event_type.partition(".")[0]: rules}


@pytest.mark.parametrize(
    ("event_type", "meanwhile"),
    [
        ("user.suspended", world(user("u1", billing_hold=True))),
        ("device.failed", world(device("d1", cpu_cores=7))),
    ],
)
def test_row_that_is_created_meanwhile_is_not_overwritten(
    event_type: str, meanwhile: Snapshot, store: Store, database_url: str
) -> None:
    rules = interrupted(event_type, lambda: store.seed(meanwhile))

    with Functions(database_url, rules=rules) as functions:
        assert functions.handle(message(event_type)) == {"success": 1}

    state = store.state()
    assert [(row.status, row.billing_hold) for row in state["users"]] in ([], [("suspended", 1)])
    assert [(row.health, row.cpu_cores) for row in state["devices"]] in ([], [("failed", 7)])


def test_message_that_is_processed_elsewhere_meanwhile_is_a_duplicate(
    store: Store, database_url: str
) -> None:
    sent = message("device.created")

    with Functions(database_url) as other:
        rules = interrupted("device.created", lambda: other.handle(sent))
        with Functions(database_url, rules=rules) as functions:
            assert functions.handle(sent) == {"duplicate": 1}

    assert len(store.state()["processed"]) == 1


def test_device_that_is_reallocated_while_locking_is_released(
    store: Store, database_url: str
) -> None:
    store.seed(world(user("u2"), held("d1", by="u1")))
    waiting = [
        lambda: store.run(
            "UPDATE allocations SET status = 'RELEASED' WHERE device_id = 'd1'",
            "INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)"
            " VALUES ('new', 'u2', 'd1', 'ALLOCATED', '2026-03-01 11:59:00', NOW(6))",
        )
    ]

    class Interrupted(BulkCursor):
        def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
            if waiting and "FROM devices d" in query:
                waiting.pop()()
            return super().send_query(query, args)

    with Functions(database_url) as functions:
        with functions.database.transaction() as cursor:
            cursor.connection.cursorclass = Interrupted
        with counted(functions.database) as statements:
            assert functions.handle(message("device.failed")) == {"success": 1}

    assert statements.rollbacks == 1
    state = store.state()
    assert {row.id: row.release_code for row in state["allocations"]} == {
        "allocation-of-d1": None,
        "new": "device_failed",
    }
    assert [row.user_id for row in state["notifications"]] == ["u2"]


@pytest.mark.parametrize("on_hold", [True, False])
@pytest.mark.parametrize("balance", [0, -50])
def test_account_that_is_settled_while_a_later_failure_is_counted_is_not_on_hold(
    *, balance: int, on_hold: bool, store: Store, database_url: str
) -> None:
    """A payment that leaves a debt ends the hold of failures, too."""
    store.seed(world(user("u1", billing_hold=on_hold, hold_in_debt=balance == 0), held("d1")))
    counter = counted_twice()
    paid = message("billing.recharged", at=NOW - 2 * MINUTE, newBalance=balance)

    with (
        Functions(database_url, counter=counter) as others,
        Functions(database_url, counter=Paying(counter, others, paid)) as functions,
    ):
        failed = message("billing.payment_failed", at=NOW - MINUTE)
        assert functions.handle(failed) == {"success": 1}

    state = store.state()
    assert [row.billing_hold for row in state["users"]] == [0]
    assert [row.status for row in state["allocations"]] == ["ALLOCATED"]
    assert counter.current("u1", NOW) == 1
    assert {row.dedupe_key.partition(":")[0] for row in state["notifications"]} == {
        "billing_alert.recharged",
        "billing_alert.payment_failed",
    }


@pytest.mark.parametrize("balance", [0, -50])
def test_failure_is_counted_again_if_a_payment_is_applied_before_its_next_attempt(
    balance: int, store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away after the count, and the payment is first when it is back."""
    store.seed(world(held("d1")))
    counter = counted_twice()
    paid = message("billing.recharged", at=NOW - 2 * MINUTE, newBalance=balance)
    query_locks, attempts = load.query_locks, iter([True])

    def unavailable_once(*arguments: Any) -> Any:  # noqa: ANN401 - those of the query
        if next(attempts, False):
            assert others.handle(paid) == {"success": 1}
            raise DatabaseUnavailableError("restarting")
        return query_locks(*arguments)

    monkeypatch.setattr(load, "query_locks", unavailable_once)
    with (
        Functions(database_url, counter=counter) as others,
        Functions(database_url, counter=counter) as functions,
    ):
        failed = message("billing.payment_failed", at=NOW - MINUTE)
        assert functions.handle(failed) == {"success": 1}

    state = store.state()
    assert [row.billing_hold for row in state["users"]] == [0]
    assert [row.status for row in state["allocations"]] == ["ALLOCATED"]
    assert counter.current("u1", NOW) == 1


@pytest.mark.parametrize("balance", [0, -50])
def test_unknown_account_that_is_settled_while_its_failures_are_counted_is_not_on_hold(
    balance: int, store: Store, database_url: str
) -> None:
    """The payment is the first event that is applied about this user."""
    counter = FakeCounter()
    paid = message("billing.recharged", at=NOW - MINUTE, newBalance=balance)

    with (
        Functions(database_url, counter=counter) as others,
        Functions(database_url, counter=Paying(counter, others, paid)) as functions,
    ):
        failures = (
            message("billing.payment_failed", at=NOW - minutes * MINUTE) for minutes in (4, 3, 2)
        )
        functions.handle(*failures)

    assert [row.billing_hold for row in store.state()["users"]] == [0]
    assert counter.current("u1", NOW) == 0


@pytest.mark.parametrize(
    "account",
    [
        user("u1", billing_hold=False),
        user("u1", billing_hold=True, hold_in_debt=True),
        user("u1", billing_hold=True, hold_in_debt=False),
    ],
)
def test_hold_of_a_failure_that_is_counted_while_an_older_payment_is_applied_stays(
    account: User, store: Store, database_url: str
) -> None:
    store.seed(world(account, held("d1")))
    counter = counted_twice()
    failed = message("billing.payment_failed", at=NOW - MINUTE)

    class Failing(FakeCounter):
        def reset(self, user_id: str, at: datetime, now: datetime) -> int:
            left = counter.reset(user_id, at, now)
            if left == 2:
                assert others.handle(failed) == {"success": 1}
            return left

    with (
        Functions(database_url, counter=counter) as others,
        Functions(database_url, counter=Failing()) as functions,
    ):
        paid = message("billing.recharged", at=NOW - 6 * MINUTE)
        assert functions.handle(paid) == {"success": 1}

    state = store.state()
    assert [row.billing_hold for row in state["users"]] == [1]
    assert counter.current("u1", NOW) == 3
