"""A failure affects its own message only, and an outage of a server affects none."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread
from typing import Any

import pymysql
import pytest

from scheduler.database.connection import connect
from scheduler.domain.model import Quota
from scheduler.domain.work import Work
from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.pipeline.event_rules import EventRules
from tests.support.deciding import FAMILIES, handling_of
from tests.support.events import QUEUE_OF, message
from tests.support.functions import Functions
from tests.support.logged import logged
from tests.support.queues import Queues
from tests.support.statements import counted
from tests.support.store import Store
from tests.support.together import eventually
from tests.support.world import held, world

CRITICAL, INFORMATIONAL = "device.failed", "device.status_changed"
RETRY = f"{QUEUE_OF[CRITICAL]}.retry"


def spoiled(event_type: str, *, by_statement: bool) -> dict[str, EventRules]:
    """Return rules that fail for device ``bad``, either themselves or in their statement."""
    handling = handling_of(QUEUE_OF[event_type])
    rules = EventRules()

    def rule(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        handling.rule(event, work)
        if event.device_id == "bad" and by_statement:
            work.update_device(work.device("bad")._replace(name="x" * 200))
        elif event.device_id == "bad":
            raise ZeroDivisionError("bad device")

    rules.on(handling.contract)(rule)
    return {**FAMILIES, "device": rules}


def batch(event_type: str, size: int = 20) -> list[Any]:
    good = [message(event_type, deviceId=f"d{n}") for n in range(size)]
    return [*good[: size // 2], message(event_type, deviceId="bad", id="bad"), *good[size // 2 :]]


def fleet(store: Store, size: int = 20) -> None:
    store.seed(world(held("bad", by="u-bad"), *(held(f"d{n}", by=f"u{n}") for n in range(size))))


def still_held(store: Store) -> list[str]:
    return [row.device_id for row in store.state()["allocations"] if row.status == "ALLOCATED"]


@pytest.mark.parametrize("by_statement", [False, True])
def test_failing_critical_message_is_retried_and_the_others_are_applied(
    *, by_statement: bool, store: Store, database_url: str, broker_url: str, queues: Queues
) -> None:
    fleet(store)

    with Functions(
        database_url, broker_url, rules=spoiled(CRITICAL, by_statement=by_statement)
    ) as functions:
        totals = functions.handle(*batch(CRITICAL))

    assert totals == {"success": 20, "retried": 1}
    assert still_held(store) == ["bad"]
    (waiting,) = queues.take(RETRY)
    assert (waiting.properties.message_id, waiting.headers["x-attempt"]) == ("bad", 1)
    assert queues.take() == []


@pytest.mark.parametrize("by_statement", [False, True])
def test_informational_message_that_failed_its_last_retry_is_acknowledged_and_logged(
    *,
    by_statement: bool,
    store: Store,
    database_url: str,
    broker_url: str,
    queues: Queues,
) -> None:
    fleet(store)
    last = message(INFORMATIONAL, deviceId="bad", headers={"x-attempt": 3})

    rules = spoiled(INFORMATIONAL, by_statement=by_statement)
    with logged() as lines, Functions(database_url, broker_url, rules=rules) as functions:
        assert functions.handle(*batch(INFORMATIONAL)) == {"success": 20, "retried": 1}
        assert not any("payload" in line for line in lines())
        (retried,) = queues.take(f"{QUEUE_OF[INFORMATIONAL]}.retry")
        assert functions.handle(last) == {"error": 1}
        (payload,) = [line["payload"] for line in lines() if "payload" in line]

    assert (retried.properties.message_id, retried.headers["x-attempt"]) == ("bad", 1)
    assert '"deviceId": "bad"' in payload
    assert queues.take(f"{QUEUE_OF[INFORMATIONAL]}.retry") == []
    assert queues.take() == []
    assert still_held(store) == ["bad"]


def test_failing_message_is_a_dead_letter_after_its_last_retry(
    store: Store, database_url: str, broker_url: str, queues: Queues
) -> None:
    sent = message(CRITICAL, deviceId="bad", headers={"x-attempt": 3})

    with Functions(
        database_url, broker_url, rules=spoiled(CRITICAL, by_statement=False)
    ) as functions:
        assert functions.handle(sent) == {"dead_lettered": 1}

    (letter,) = queues.take()
    assert letter.headers["x-error"] == "ZeroDivisionError: bad device"
    assert letter.headers["x-attempt"] == 3
    assert store.state()["processed"] == []


def test_one_failing_statement_among_many_costs_few_transactions(
    store: Store, database_url: str, broker_url: str
) -> None:
    fleet(store, 128)

    with (
        Functions(
            database_url, broker_url, rules=spoiled(CRITICAL, by_statement=True)
        ) as functions,
        counted(functions.database) as statements,
    ):
        functions.handle(*batch(CRITICAL, 128))

    assert statements.commits + statements.rollbacks <= 2 * 8 + 1


def test_bisection_counts_no_failed_payment_twice(
    store: Store, database_url: str, broker_url: str
) -> None:
    """Two warnings and one suspension, although each half counts again."""
    handling = handling_of(QUEUE_OF["billing.payment_failed"])
    rules = EventRules()

    def rule(event: Any, work: Work) -> None:  # noqa: ANN401 - any event
        handling.rule(event, work)
        if event.user_id == "bad":
            work.set_quota("bad", Quota(-1))

    rules.on(handling.contract)(rule)
    users = ("u1", "u1", "bad", "u1")
    sent = [message("billing.payment_failed", userId=user_id) for user_id in users]

    with Functions(database_url, broker_url, rules={**FAMILIES, "billing": rules}) as functions:
        assert functions.handle(*sent) == {"success": 3, "retried": 1}

    types = sorted(row.type for row in store.state()["notifications"])
    assert types == ["billing_alert", "billing_alert", "service_suspended"]


# -- outages -----------------------------------------------------------------------------


def test_batch_is_parked_during_a_database_outage_without_using_an_attempt(
    broker_url: str, queues: Queues
) -> None:
    sent = [message(CRITICAL, headers={"x-attempt": 3}), message(CRITICAL, body=b"{")]

    with Functions("mysql://nobody@127.0.0.1:1/cloudphone", broker_url) as functions:
        assert functions.handle(*sent) == {"retried": 1, "invalid": 1}

    (waiting,) = queues.take(RETRY)
    assert waiting.headers["x-attempt"] == 3
    (letter,) = queues.take()
    assert letter.headers["x-error"].startswith("body is not JSON")


def test_without_database_and_broker_the_function_raises(store: Store) -> None:
    fleet(store)

    with (
        Functions("mysql://nobody@127.0.0.1:1/cloudphone") as functions,
        pytest.raises(BrokerUnavailableError, match=RETRY),
    ):
        functions.handle(message(CRITICAL))


def test_message_committed_before_the_broker_failed_is_a_duplicate_afterwards(
    store: Store, functions: Functions, connected: Functions, queues: Queues
) -> None:
    fleet(store)
    sent = [*batch(CRITICAL), message(CRITICAL, body=b"{")]

    with pytest.raises(BrokerUnavailableError):
        functions.handle(*sent)
    again = connected.handle(*(one._replace(redelivered=True) for one in sent))

    assert again == {"duplicate": 21, "invalid": 1}
    assert len(queues.take()) == 1
    assert len(store.state()["outgoing"]) == 21


# -- other transactions -------------------------------------------------------------------


@contextmanager
def other_transaction(store: Store) -> Iterator[pymysql.cursors.Cursor]:
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        yield cursor
        connection.commit()


def waits_for_devices(store: Store) -> bool:
    """Return whether a consumer runs the statement that locks devices."""
    running = store.rows("SELECT info FROM information_schema.processlist WHERE info IS NOT NULL")
    return any("FROM devices d" in info and "FOR UPDATE" in info for (info,) in running)


def test_victim_of_a_deadlock_is_retried(store: Store, functions: Functions) -> None:
    fleet(store)
    results: list[Any] = []
    sent = message("user.suspended", userId="u1")
    consumer = Thread(target=lambda: results.append(functions.handle(sent)))

    with other_transaction(store) as cursor, counted(functions.database) as statements:
        # It has written more than the consumer, so the consumer is chosen as the victim.
        cursor.execute("UPDATE devices SET name = CONCAT(name, '!')")
        consumer.start()
        eventually(lambda: waits_for_devices(store), "the function waits for the device")
        cursor.execute("SELECT * FROM users WHERE id = 'u1' FOR UPDATE")
        cursor.connection.commit()
        consumer.join()

    assert results == [{"success": 1}]
    assert statements.rollbacks == 1
    assert "d1" not in still_held(store)


def test_message_whose_rows_stay_locked_is_parked_without_using_an_attempt(
    store: Store, connected: Functions, queues: Queues
) -> None:
    fleet(store)
    with connected.database.transaction() as cursor:
        cursor.execute("SET SESSION innodb_lock_wait_timeout = 1")

    with other_transaction(store) as cursor:
        cursor.execute("SELECT * FROM users WHERE id = 'u1' FOR UPDATE")
        totals = connected.handle(message("user.suspended", userId="u1"))

    assert totals == {"retried": 1}
    assert "d1" in still_held(store)
    (waiting,) = queues.take("scheduler.user-suspended.retry")
    assert waiting.headers["x-attempt"] == 0
    assert connected.handle(message("user.suspended", userId="u1")) == {"success": 1}
