"""The real function on a broker whose retry queues wait for moments instead of a minute."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Protocol

import pika
import pytest

from local.servers.mariadb import DATABASE, MariaDB
from scheduler.database.connection import Database
from scheduler.database.migrate import migrate
from scheduler.messaging import topology
from scheduler.messaging.declaration import declare
from scheduler.messaging.publisher import TIMEOUT, Publisher
from scheduler.pipeline.consumer import Consumer
from scheduler.settings import ConsumerSettings
from tests.integration.settling import marked
from tests.integration.settling.hops import QUEUES, Hops
from tests.support.logged import logged
from tests.support.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from local.servers.rabbitmq import RabbitMQ

RETRY_DELAY_MS = 100
RETRIED = {
    QUEUES[event_type].retry_name
    for event_type in ("device.failed", "device.status_changed", "billing.payment_failed")
}
"""The retry queues that these tests use."""


class MakeConsumer(Protocol):
    """Makes a consumer of the marked rules, by default on the test's database and broker."""

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
    """Return the address of a vhost in which all queues are empty."""
    if rabbitmq.failure():
        rabbitmq.start()
    with closing(pika.BlockingConnection(pika.URLParameters(_settling_vhost))) as connection:
        channel = connection.channel()
        # Purged, a retry queue could still be handing over a message of the test before.
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


@pytest.fixture(scope="session")
def _settling_database(mariadb: MariaDB) -> Store:
    """Return a database of its own, which refuses marked devices."""
    name = f"{DATABASE}_settling"
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    made = Store(mariadb.url_of(name))
    migrate(made.settings)
    made.run(marked.TRIGGER)
    return made


@pytest.fixture
def store(mariadb: MariaDB, _settling_database: Store) -> Store:
    """Return the database, empty."""
    if mariadb.failure():
        mariadb.start()
    _settling_database.clear()
    _settling_database.run("DELETE FROM delivery_attempts")
    return _settling_database


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
    """Return what the function has logged so far, as CloudWatch would receive it."""
    with logged() as lines:
        yield lines
