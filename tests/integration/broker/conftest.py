"""The functions and the publisher on a real broker whose retry delay is a tenth of a second."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pika
import pytest

from scheduler.database.connection import Database
from scheduler.messaging import topology
from scheduler.messaging.declaration import declare
from scheduler.messaging.publisher import TIMEOUT, Publisher
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import MAX_SHARDS, BrokerSettings, ConsumerSettings
from tests.integration.broker import marked
from tests.integration.broker.hops import QUEUES, Hops
from tests.integration.broker.line import QUEUE, Line
from tests.integration.broker.sharded import RETRY_DELAY_MS, Broker
from tests.support.logged import logged
from tests.support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from local.servers.rabbitmq import RabbitMQ
    from tests.support.store import Store

RETRIED = {
    QUEUES[event_type].retry_name
    for event_type in ("device.failed", "device.status_changed", "billing.payment_failed")
}
"""The retry queues used by the tests of settling."""


class MakeConsumer(Protocol):
    """Makes a consumer with the marked rules, by default on the test's database and broker."""

    def __call__(
        self,
        *,
        database: str = "",
        broker: str = "",
        timeout: float = TIMEOUT,
        **variables: str,
    ) -> Consumer: ...


@pytest.fixture(scope="session")
def _settling_vhost(rabbitmq: RabbitMQ) -> str:
    url = rabbitmq.create_vhost("settling")
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        declare(connection.channel(), RETRY_DELAY_MS)
    return url


@pytest.fixture
def vhost_url(rabbitmq: RabbitMQ, _settling_vhost: str) -> str:
    """Return the URL of a vhost in which all queues are empty."""
    if rabbitmq.failure():
        rabbitmq.start()
    with closing(pika.BlockingConnection(pika.URLParameters(_settling_vhost))) as connection:
        channel = connection.channel()
        # A purged retry queue might still dead-letter a message of the previous test.
        for retry in RETRIED:
            channel.queue_delete(retry)
        for queue in topology.queues(RETRY_DELAY_MS):
            if queue.name in RETRIED:
                channel.queue_declare(queue.name, durable=True, arguments=queue.arguments)
            else:
                channel.queue_purge(queue.name)
    return _settling_vhost


@pytest.fixture
def hops(vhost_url: str) -> Iterator[Hops]:
    with closing(Hops(vhost_url)) as made:
        yield made


@pytest.fixture
def store(store: Store) -> Iterator[Store]:
    """Return the database with a trigger that refuses marked devices."""
    store.run(marked.TRIGGER)
    yield store
    store.run("DROP TRIGGER refuse_devices")


@pytest.fixture
def make_consumer(store: Store, vhost_url: str) -> Iterator[MakeConsumer]:
    made: list[Callable[[], None]] = []

    def make(
        *, database: str = "", broker: str = "", timeout: float = TIMEOUT, **variables: str
    ) -> Consumer:
        settings = ConsumerSettings.model_validate(
            {
                "DATABASE_URL": database or store.settings.database_url,
                "BROKER_URL": broker or vhost_url,
                **variables,
            }
        )
        own_database, publisher = Database(settings), Publisher(settings, timeout)
        made.extend((own_database.close, publisher.close))
        return Consumer(marked.events, settings, database=own_database, publisher=publisher)

    yield make
    for close in made:
        close()


@pytest.fixture
def consumer(make_consumer: MakeConsumer) -> Consumer:
    return make_consumer()


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Return a function that returns the log lines so far, as CloudWatch receives them."""
    with logged() as lines:
        yield lines


@pytest.fixture
def line(rabbitmq: RabbitMQ) -> Iterator[Line]:
    with closing(Line(rabbitmq.ports.amqp)) as made:
        yield made


@pytest.fixture
def publisher(line: Line, broker_url: str) -> Iterator[Publisher]:
    settings = BrokerSettings.model_validate({"BROKER_URL": line.before(broker_url)})
    with closing(Publisher(settings, timeout=5)) as made:
        yield made


@pytest.fixture
def channel(broker_url: str) -> Iterator[BlockingChannel]:
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        yield connection.channel()


@pytest.fixture
def queue(broker_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a durable queue that exists during the test; a parameter sets its type."""
    kind = {"x-queue-type": getattr(request, "param", "quorum")}
    _with_channel(broker_url, "queue_declare", durable=True, arguments=kind)
    yield QUEUE
    _with_channel(broker_url, "queue_delete")


@pytest.fixture
def arrived(broker_url: str, queue: str) -> Callable[[], list[str]]:
    """Return a function that removes the messages of the queue and returns their ids in order."""
    return lambda: [one.properties.message_id for one in Queues(broker_url).take(queue)]


def _with_channel(url: str, method: str, **arguments: Any) -> None:  # noqa: ANN401 - pika's
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        getattr(connection.channel(), method)(QUEUE, **arguments)


@pytest.fixture(scope="session")
def _four_vhost(rabbitmq: RabbitMQ) -> str:
    if rabbitmq.failure():
        rabbitmq.start()
    url = rabbitmq.create_vhost("four-shards")
    with closing(Broker(url)) as made:
        for _ in range(2):
            made.declare(MAX_SHARDS)
    return url


@pytest.fixture
def four(rabbitmq: RabbitMQ, _four_vhost: str) -> Iterator[Broker]:
    """A vhost whose events have four queues each, all empty."""
    if rabbitmq.failure():
        rabbitmq.start()
    with closing(Broker(_four_vhost)) as made:
        made.take("device.failed")
        yield made


@pytest.fixture
def broker(rabbitmq: RabbitMQ) -> Iterator[Broker]:
    """An empty vhost."""
    if rabbitmq.failure():
        rabbitmq.start()
    with closing(Broker(rabbitmq.create_vhost("shards"))) as made:
        yield made
    rabbitmq.delete_vhost("shards")
