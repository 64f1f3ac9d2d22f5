"""The accounts of the functions at the broker may do what they must, and nothing else."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING

import boto3
import pika
import pytest
from pika.exceptions import ChannelClosedByBroker, ProbableAuthenticationError

from housekeeping.measure import _depth
from provisioning.app import provision
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.topology import EVENTS_EXCHANGE, NOTIFICATION_QUEUE, WORK_QUEUES
from scheduler.settings import BrokerSettings
from tests.integration.provisioning.conftest import VHOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.rabbitmq import RabbitMQ

CONSUMER = ("scheduler-consumer", "consumer secret")
PUBLISHER = ("scheduler-publisher", "publisher secret")
OPERATOR = ("scheduler-operator", "operator secret")
REFUSED = 403


@pytest.fixture(autouse=True)
def accounts(rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    client = boto3.client("secretsmanager")
    for user, password in (CONSUMER, PUBLISHER, OPERATOR):
        text = json.dumps({"username": user, "password": password})
        arn = client.create_secret(Name=user, SecretString=text)["ARN"]
        monkeypatch.setenv(f"{user.removeprefix('scheduler-').upper()}_SECRET_ARN", arn)
    provision()
    yield
    for user, _ in (CONSUMER, PUBLISHER, OPERATOR):
        rabbitmq.delete_user(user)
        client.delete_secret(SecretId=user, ForceDeleteWithoutRecovery=True)


def url(rabbitmq: RabbitMQ, account: tuple[str, str]) -> str:
    user, password = account
    password = password.replace(" ", "%20")
    return f"amqp://{user}:{password}@127.0.0.1:{rabbitmq.ports.amqp}/{VHOST}"


def connected(rabbitmq: RabbitMQ, account: tuple[str, str]) -> closing[pika.BlockingConnection]:
    return closing(pika.BlockingConnection(pika.URLParameters(url(rabbitmq, account))))


def publisher(rabbitmq: RabbitMQ, *, mandatory: bool = True) -> Publisher:
    settings = BrokerSettings.model_validate({"BROKER_URL": url(rabbitmq, PUBLISHER)})
    return Publisher(settings, mandatory=mandatory)


def test_publisher_nudges_publishes_events_and_measures_queues(rabbitmq: RabbitMQ) -> None:
    outgoing = OutboundMessage(EVENTS_EXCHANGE, "scheduler.allocation.released", b"{}", {})
    with closing(publisher(rabbitmq, mandatory=False)) as events:
        events.publish([outgoing])
    with closing(publisher(rabbitmq)) as nudges:
        Nudge(nudges).send()

    with connected(rabbitmq, PUBLISHER) as connection:
        assert _depth(connection, NOTIFICATION_QUEUE) == 1
        assert _depth(connection, "missing") is None


@pytest.mark.parametrize("attempt", ["consume", "get", "declare", "purge", "delete", "bind"])
def test_publisher_may_do_nothing_else(rabbitmq: RabbitMQ, attempt: str) -> None:
    queue = WORK_QUEUES[0].name
    with connected(rabbitmq, PUBLISHER) as connection:
        channel = connection.channel()
        tried = {
            "consume": lambda: channel.basic_consume(queue, lambda *_: None),
            "get": lambda: channel.basic_get(queue),
            "declare": lambda: channel.queue_declare("mine"),
            "purge": lambda: channel.queue_purge(queue),
            "delete": lambda: channel.queue_delete(queue),
            "bind": lambda: channel.queue_bind(queue, EVENTS_EXCHANGE, "#"),
        }

        with pytest.raises(ChannelClosedByBroker) as refused:
            tried[attempt]()

    assert refused.value.reply_code == REFUSED


def test_publisher_may_not_publish_dead_letters(rabbitmq: RabbitMQ) -> None:
    with connected(rabbitmq, PUBLISHER) as connection:
        channel = connection.channel()
        channel.confirm_delivery()

        with pytest.raises(ChannelClosedByBroker) as refused:
            channel.basic_publish("cloudphone.dlx", "scheduler.device-failed.failed", b"{}")

    assert refused.value.reply_code == REFUSED


def test_consumer_reads_and_settles(rabbitmq: RabbitMQ) -> None:
    work = WORK_QUEUES[0]
    with connected(rabbitmq, CONSUMER) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", work.name, b"{}", mandatory=True)
        channel.basic_publish("", work.retry_name, b"{}", mandatory=True)
        channel.basic_publish("cloudphone.dlx", work.dead_letter_key, b"{}", mandatory=True)
        method, _, body = channel.basic_get(work.name, auto_ack=True)

    assert (method.exchange, body) == ("", b"{}")


@pytest.mark.parametrize("account", [CONSUMER, PUBLISHER])
def test_no_account_is_administrator(rabbitmq: RabbitMQ, account: tuple[str, str]) -> None:
    assert rabbitmq.user_tags(account[0]) == []


def test_second_run_restores_password_and_permissions(rabbitmq: RabbitMQ) -> None:
    rabbitmq.delete_user(PUBLISHER[0])
    with pytest.raises(ProbableAuthenticationError):
        connected(rabbitmq, PUBLISHER)

    provision()

    with closing(publisher(rabbitmq)) as nudges:
        Nudge(nudges).send()
