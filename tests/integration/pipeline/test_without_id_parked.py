"""Messages without an id that are parked before they could be given one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.message import IDENTITY_HEADER, UNCLAIMED_BATCH_HEADER
from tests.integration.pipeline.crashing import CrashError, CrashingCounter, dying_at_the_end
from tests.integration.pipeline.hops import consume_retries, consume_retries_apart, retries
from tests.integration.pipeline.unnamed import AWAY, PAYMENT, again, payment, unnamed
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.locks import locked
from tests.support.world import MINUTE, NOW, user, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.clock import Clock
    from tests.support.queues import Queues
    from tests.support.store import Store


pytestmark = pytest.mark.usefixtures("short_lock_waits", "without_waiting")


def test_message_parked_for_days_keeps_the_id_that_it_got_afterwards(
    store: Store,
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    clock: Clock,
    park: Callable[..., None],
) -> None:
    store.seed(world(user("u1")))
    park(payment())
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
    park: Callable[..., None],
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
        park(sent)
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


@pytest.mark.parametrize("copies_first", [True, False])
def test_parked_copies_and_their_originals_in_other_batches_are_applied_once(
    *,
    copies_first: bool,
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    clock: Clock,
    park: Callable[..., None],
) -> None:
    sent = [payment(f"u{n}") for n in range(4)]
    park(*sent)
    clock.wait(MINUTE)
    copies = retries(queues, PAYMENT)
    other = again(message("billing.payment_failed", userId="u4"))
    returned = [[other, *map(again, sent[2:])], [other, *map(again, sent[:2])]]

    batches = [*([one] for one in copies), *returned]
    for batch in batches if copies_first else reversed(batches):
        new_environment().handle(*batch)

    assert [counter.current(f"u{n}", NOW) for n in range(5)] == [1] * 5


def test_copy_that_was_applied_and_is_parked_once_more_is_a_duplicate(
    queues: Queues,
    new_environment: Callable[[], Functions],
    counter: CrashingCounter,
    park: Callable[..., None],
) -> None:
    """Its acknowledgement was lost, and the database is away again."""
    park(payment(), payment("u2"))
    copies = retries(queues, PAYMENT)
    assert new_environment().handle(*copies) == {"success": 2}
    park(*map(again, copies))

    for copy in retries(queues, PAYMENT):
        assert new_environment().handle(copy) == {"duplicate": 1}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [1, 1]


def test_message_parked_hours_after_its_run_died_is_recognised_days_later(
    connected: Functions,
    queues: Queues,
    counter: CrashingCounter,
    clock: Clock,
    park: Callable[..., None],
) -> None:
    counter.crashes = 1
    with pytest.raises(CrashError):
        connected.handle(payment())
    clock.wait(120 * MINUTE)
    park(again(payment()))
    clock.wait(3 * 24 * 60 * MINUTE)

    assert consume_retries(connected, queues, PAYMENT) == {"success": 1}

    assert counter.current("u1", clock.now) == 1


def test_equal_messages_that_are_parked_in_an_outage_are_each_applied(
    store: Store,
    queues: Queues,
    connected: Functions,
    counter: CrashingCounter,
    broker_url: str,
    clock: Clock,
) -> None:
    store.seed(world(user("u1")))
    with Functions(AWAY, broker_url, clock=clock) as without:
        for batch in ([payment()], [payment(), payment()]):
            assert without.handle(*batch) == {"retried": len(batch)}
    clock.wait(MINUTE)
    assert connected.handle(payment()) == {"success": 1}

    assert consume_retries(connected, queues, PAYMENT) == {"success": 3}

    assert counter.current("u1", NOW) == 4


@pytest.mark.parametrize("value", ["x" * 1000, "中文", 7, "", " ", "a b c d", "  中"])
def test_any_value_of_the_header_of_parked_copies_is_accepted(
    value: object, connected: Functions
) -> None:
    sent = unnamed("billing.payment_failed", headers={UNCLAIMED_BATCH_HEADER: value})

    assert connected.handle(sent) == {"success": 1}


def test_parked_message_keeps_what_its_publisher_set_and_its_failed_attempts(
    park: Callable[..., None], queues: Queues
) -> None:
    sent = unnamed("billing.payment_failed", headers={"x-attempt": 2, "tenant": "t1"})
    sent = sent._replace(properties={**sent.properties, "correlation_id": "c1"})

    park(sent)

    (waiting,) = retries(queues, PAYMENT)
    assert waiting.properties["correlation_id"] == "c1"
    assert (waiting.headers["tenant"], waiting.attempt) == ("t1", 2)


def test_only_messages_without_an_id_wait_for_the_table_of_ids(
    store: Store, connected: Functions, queues: Queues, counter: CrashingCounter
) -> None:
    batch = [payment("u1"), message("billing.payment_failed", userId="u2")]

    with locked(store.settings, "LOCK TABLES unidentified_messages WRITE"):
        assert connected.handle(*batch) == {"success": 1, "retried": 1}

    assert [counter.current(id_, NOW) for id_ in ("u1", "u2")] == [0, 1]
    assert consume_retries(connected, queues, PAYMENT) == {"success": 1}
    assert counter.current("u1", NOW) == 1


def test_letter_of_a_killer_with_an_id_says_nothing_about_given_ids(
    store: Store, connected: Functions, queues: Queues
) -> None:
    sent = again(message("billing.payment_failed"))
    note = (PAYMENT, sent.delivery_key, 2, NOW)
    store.insert("delivery_attempts", "queue, message_id, attempts, last_at", [note])

    assert connected.handle(sent) == {"dead_lettered": 1}

    (letter,) = queues.take()
    assert {IDENTITY_HEADER, UNCLAIMED_BATCH_HEADER}.isdisjoint(letter.headers)
