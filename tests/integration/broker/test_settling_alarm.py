"""A broker without memory accepts no message: what needs none is settled all the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from scheduler.messaging.outbound import BrokerUnavailableError
from scheduler.messaging.publisher import Publisher
from tests.integration.broker.alarm import memory_alarm
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.servers.rabbitmq import RabbitMQ
    from scheduler.messaging.outbound import OutboundMessage
    from tests.integration.broker.conftest import MakeConsumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED: Final = "device.failed"
DEVICES: Final = 3
NOTIFICATIONS: Final = "SELECT COUNT(*) FROM notifications"
STATUSES: Final = "SELECT DISTINCT status FROM allocations"


@pytest.fixture
def published(hops: Hops, store: Store) -> Iterator[Hops]:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(DEVICES))))
    for n in range(DEVICES):
        hops.publish(FAILED, deviceId=f"d{n}")
    yield hops
    assert hops.unsettled() == 0
    assert store.rows("SELECT * FROM delivery_attempts") == []


@pytest.mark.parametrize("connected", [False, True])
def test_good_messages_are_acknowledged_and_the_nudge_is_given_up_after_a_second(
    *,
    connected: bool,
    published: Hops,
    make_consumer: MakeConsumer,
    store: Store,
    rabbitmq: RabbitMQ,
    log_lines: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits: list[float] = []
    publish_within = Publisher.publish_within

    def watched(publisher: Publisher, message: OutboundMessage, seconds: float) -> None:
        waits.append(seconds)
        publish_within(publisher, message, seconds)

    consumer = make_consumer()
    if connected:
        published.publish(FAILED, deviceId="another")
        assert published.deliver(consumer, {FAILED: 1}) == {"success": 1}

    monkeypatch.setattr(Publisher, "publish_within", watched)
    with memory_alarm(rabbitmq):
        assert published.deliver(consumer, {FAILED: DEVICES}) == {"success": DEVICES}

    assert waits == [1.0]
    warnings = [line["message"] for line in log_lines() if line["level"] == "WARNING"]
    assert warnings == ["Could not nudge the dispatcher"]
    assert store.rows(STATUSES) == [("RELEASED",)]


def test_a_batch_with_a_message_to_publish_comes_again_and_is_applied_once(
    published: Hops, make_consumer: MakeConsumer, store: Store, rabbitmq: RabbitMQ
) -> None:
    consumer = make_consumer(timeout=1)
    bad = published.publish(FAILED, body=b"{")

    with memory_alarm(rabbitmq):
        for _ in range(4):
            with pytest.raises(BrokerUnavailableError):
                published.deliver(consumer, {FAILED: DEVICES + 1})
        assert published.dead_letters() == []

    totals = published.deliver(consumer, {FAILED: DEVICES + 1})

    assert totals == {"duplicate": DEVICES, "invalid": 1}
    assert store.rows(STATUSES) == [("RELEASED",)]
    assert store.rows(NOTIFICATIONS) == [(DEVICES,)]
    # What the broker had in its buffers, it stores when the alarm ends, though nobody waits for it.
    assert {letter.properties.message_id for letter in published.dead_letters()} == {bad}
