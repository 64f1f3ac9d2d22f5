"""Messages without an id keep the one they got, in crashes, outages and replays."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.ops.running import DeadLetters
from tests.integration.pipeline.crashing import CrashError, CrashingCounter
from tests.integration.pipeline.hops import consume, consume_retries
from tests.integration.pipeline.unnamed import AWAY, PAYMENT, again, unnamed
from tests.support.functions import Functions
from tests.support.world import MINUTE, NOW, user, world

if TYPE_CHECKING:
    from datetime import timedelta

    from tests.support.clock import Clock
    from tests.support.queues import Queues
    from tests.support.store import Store


pytestmark = pytest.mark.usefixtures("without_waiting")


def test_message_that_was_never_applied_keeps_its_id_for_a_day(
    store: Store, connected: Functions, clock: Clock, counter: CrashingCounter
) -> None:
    sent = unnamed("billing.payment_failed")
    counter.crashes = 1
    with pytest.raises(CrashError):
        connected.handle(sent)
    clock.wait(20 * 60 * MINUTE)

    assert connected.handle(again(sent)) == {"success": 1}

    assert counter.current("u1", clock.now) == 1
    assert len(store.state()["processed"]) == 1


def test_retried_message_keeps_its_id_when_an_equal_one_arrives(
    store: Store, connected: Functions, queues: Queues, counter: CrashingCounter, broker_url: str
) -> None:
    store.seed(world(user("u1")))
    sent = unnamed("billing.payment_failed")
    with Functions(AWAY, broker_url) as away:
        assert away.handle(sent) == {"retried": 1}
    assert connected.handle(sent) == {"success": 1}

    assert consume_retries(connected, queues, PAYMENT) == {"success": 1}

    assert counter.current("u1", NOW) == 2


@pytest.mark.parametrize("outage", [MINUTE, 120 * MINUTE])
@pytest.mark.parametrize("crash", [True, False])
def test_redelivered_message_that_is_parked_in_an_outage_is_counted_once(  # noqa: PLR0913 - fixtures
    *,
    crash: bool,
    outage: timedelta,
    store: Store,
    connected: Functions,
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
            connected.handle(sent)
    else:
        assert connected.handle(sent) == {"success": 1}
    clock.wait(MINUTE)
    with Functions(AWAY, broker_url, clock=clock) as without:
        assert without.handle(again(sent)) == {"retried": 1}
        clock.wait(outage)
        assert consume_retries(without, queues, PAYMENT) == {"retried": 1}

    assert consume_retries(connected, queues, PAYMENT) == {"success" if crash else "duplicate": 1}
    assert counter.current("u1", NOW) == 1


@pytest.mark.parametrize(
    "died_and_settled",
    [("before the count", "success"), ("before the commit", "success"), ("after", "duplicate")],
)
def test_replayed_killer_is_counted_once(
    died_and_settled: tuple[str, str],
    store: Store,
    connected: Functions,
    queues: Queues,
    counter: CrashingCounter,
    clock: Clock,
    broker_url: str,
) -> None:
    died, settled = died_and_settled
    sent = unnamed("billing.payment_failed")
    assert connected.handle(sent) == {"success": 1}
    clock.wait(61 * MINUTE)
    if died == "before the commit":
        counter.crashes = 1
        with pytest.raises(CrashError):
            connected.handle(sent)
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
    assert connected.handle(again(sent)) == {"dead_lettered": 1}

    assert DeadLetters(broker_url).json("replay")["replayed"] == 1
    clock.wait(5 * 24 * 60 * MINUTE)
    assert consume(connected, queues, PAYMENT) == {settled: 1}

    assert counter.current("u1", clock.now) == 2
    assert len(store.state()["processed"]) == 2
