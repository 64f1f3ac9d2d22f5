from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.topology import MAX_SHARDS
from tests.integration.shards.broker import Broker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.rabbitmq import RabbitMQ


@pytest.fixture(scope="module")
def _four_vhost(rabbitmq: RabbitMQ) -> Iterator[str]:
    if rabbitmq.failure():
        rabbitmq.start()
    url = rabbitmq.create_vhost("four-shards")
    with closing(Broker(url)) as made:
        for _ in range(2):
            made.declare(MAX_SHARDS)
    yield url
    rabbitmq.delete_vhost("four-shards")


@pytest.fixture
def four(_four_vhost: str) -> Iterator[Broker]:
    """A vhost whose events have four queues each, all empty."""
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
