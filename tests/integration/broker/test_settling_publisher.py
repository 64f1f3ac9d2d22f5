"""The function raises if a message cannot be published, and loses none."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.declaration import declare
from scheduler.messaging.outbound import BrokerUnavailableError
from tests.integration.broker.hops import QUEUES
from tests.integration.broker.marked import RAISES
from tests.integration.broker.sharded import RETRY_DELAY_MS
from tests.integration.local.proxy import Proxy, proxy_to
from tests.support.functions import NOWHERE
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.pipeline.consumer import Consumer
    from tests.integration.broker.conftest import MakeConsumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
RETRY_QUEUE = QUEUES[FAILED].retry_name


@pytest.fixture
def proxy(vhost_url: str) -> Iterator[Proxy]:
    with proxy_to(vhost_url) as made:
        yield made


@pytest.fixture
def without_retry_queue(hops: Hops) -> Iterator[None]:
    hops.channel.queue_delete(RETRY_QUEUE)
    yield
    hops.channel.queue_delete(RETRY_QUEUE)
    declare(hops.channel, RETRY_DELAY_MS)


@pytest.mark.parametrize("fate", [Proxy.cut, Proxy.forget])
def test_connection_lost_between_invocations_is_reopened(
    hops: Hops,
    make_consumer: MakeConsumer,
    proxy: Proxy,
    vhost_url: str,
    fate: Callable[[Proxy], None],
) -> None:
    """A network that drops a connection is silent, so that publishing could wait indefinitely."""
    consumer = make_consumer(broker=proxy.before(vhost_url), timeout=1)
    for _ in range(3):
        hops.publish(FAILED, deviceId=f"{RAISES}1")
        assert hops.deliver(consumer, {FAILED: 1}) == {"retried": 1}
        hops.look(FAILED)
        hops.channel.queue_purge(QUEUES[FAILED].name)
        fate(proxy)


def test_silent_broker_makes_the_function_raise(hops: Hops, make_consumer: MakeConsumer) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1")

    with socket.create_server(("127.0.0.1", 0)) as deaf:
        consumer = make_consumer(
            broker=f"amqp://127.0.0.1:{deaf.getsockname()[1]}/nowhere", timeout=0.5
        )
        with pytest.raises(BrokerUnavailableError):
            hops.deliver(consumer, {FAILED: 1})

    assert hops.look(FAILED).redelivered


def test_without_a_broker_the_function_raises_and_the_redelivery_is_a_duplicate(
    hops: Hops, consumer: Consumer, make_consumer: MakeConsumer, store: Store
) -> None:
    store.seed(world(held("d1")))
    hops.publish(FAILED, deviceId="d1")
    hops.publish(FAILED, deviceId=f"{RAISES}1")

    with pytest.raises(BrokerUnavailableError, match="could not publish"):
        hops.deliver(make_consumer(broker=NOWHERE), {FAILED: 2})
    assert store.rows("SELECT status FROM allocations") == [("RELEASED",)]

    assert hops.deliver(consumer, {FAILED: 2}) == {"duplicate": 1, "retried": 1}
    assert store.rows("SELECT COUNT(*) FROM notifications") == [(1,)]
    assert hops.look(FAILED).headers["x-attempt"] == 1


@pytest.mark.usefixtures("without_retry_queue")
def test_unroutable_message_makes_the_function_raise(hops: Hops, consumer: Consumer) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1")

    with pytest.raises(BrokerUnavailableError, match=f"{RETRY_QUEUE}: returned, NO_ROUTE"):
        hops.deliver(consumer, {FAILED: 1})

    assert hops.look(FAILED).redelivered


@pytest.mark.usefixtures("without_retry_queue")
def test_message_refused_by_its_queue_makes_the_function_raise(
    hops: Hops, consumer: Consumer
) -> None:
    full = {"x-max-length": 0, "x-overflow": "reject-publish"}
    hops.channel.queue_declare(RETRY_QUEUE, durable=True, arguments=full)
    hops.publish(FAILED, deviceId=f"{RAISES}1")

    with pytest.raises(BrokerUnavailableError, match=f"{RETRY_QUEUE}: refused"):
        hops.deliver(consumer, {FAILED: 1})

    assert hops.look(FAILED).redelivered


def test_function_with_nothing_to_publish_needs_no_broker(
    hops: Hops, make_consumer: MakeConsumer
) -> None:
    hops.publish(FAILED)

    assert hops.deliver(make_consumer(broker=NOWHERE), {FAILED: 1}) == {"success": 1}
