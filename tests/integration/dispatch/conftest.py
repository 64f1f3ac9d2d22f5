"""The outbox in a real database, and providers that respond as the test says."""

from __future__ import annotations

import random
from contextlib import closing
from typing import TYPE_CHECKING, Any

import boto3
import pika
import pytest

from local.environment import aws_environment
from local.template import function_variable
from notification_dispatch.channel_worker import ChannelWorker
from scheduler.database.connection import Database
from scheduler.domain.notices import Channel
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.outbox.claims import Claims
from scheduler.outbox.outgoing_events import OutgoingEvents
from tests.integration.dispatch.outbox import Outbox
from tests.integration.dispatch.subscribing import SUBSCRIBER, publisher_to
from tests.integration.dispatch.workers import THREADS
from tests.support.provider import Provider
from tests.support.world import NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from scheduler.messaging.publisher import Publisher
    from tests.support.clock import Clock
    from tests.support.deliveries import FakeSender
    from tests.support.store import Store

CONNECTIONS_TABLE = function_variable("REALTIME_CONNECTIONS_TABLE")


@pytest.fixture
def outbox(store: Store) -> Outbox:
    return Outbox(store)


@pytest.fixture
def claims(database: Database, clock: Clock) -> Claims:
    """The claims of e-mails."""
    return Claims(database, Channel.EMAIL, clock)


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider() as running:
        yield running


@pytest.fixture
def moto_clients(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Send all requests of boto3 to moto."""
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return aws_url


@pytest.fixture
def provider_clients(
    moto_clients: str, provider: Provider, monkeypatch: pytest.MonkeyPatch
) -> Provider:
    """Send boto3's requests for e-mail and SMS to the fake provider, the others to moto."""
    assert moto_clients
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", provider.url)
    monkeypatch.setenv("AWS_ENDPOINT_URL_SNS", provider.url)
    return provider


@pytest.fixture
def dynamodb(moto_clients: str) -> DynamoDBClient:
    """DynamoDB with the deployed tables."""
    assert moto_clients
    return boto3.client("dynamodb")


@pytest.fixture
def make_worker(store: Store, clock: Clock) -> Iterator[Callable[..., ChannelWorker]]:
    databases: list[Database] = []

    def make(
        sender: FakeSender,
        jitter: Callable[[], float] = random.random,
        **more: Any,  # noqa: ANN401 - breaker, window
    ) -> ChannelWorker:
        databases.append(Database(store.settings))
        claims = Claims(databases[-1], sender.channel, clock)
        return ChannelWorker(claims, sender, threads=THREADS, clock=clock, jitter=jitter, **more)

    yield make
    for database in databases:
        database.close()


@pytest.fixture
def subscriber(broker_url: str) -> Iterator[str]:
    """A queue of another service, bound to the outgoing events."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.queue_declare(SUBSCRIBER, durable=True, arguments={"x-queue-type": "quorum"})
        channel.queue_bind(SUBSCRIBER, EVENTS_EXCHANGE, "device.allocated")
        channel.queue_bind(SUBSCRIBER, EVENTS_EXCHANGE, "device.released")
        yield SUBSCRIBER
        channel.queue_delete(SUBSCRIBER)


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    with closing(publisher_to(broker_url)) as made:
        yield made


@pytest.fixture
def events(database: Database, publisher: Publisher) -> OutgoingEvents:
    return OutgoingEvents(database, publisher, lambda: NOW)
