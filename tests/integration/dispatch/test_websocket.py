"""The frames that a user's connections receive, and errors of the management API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber

from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from notification_dispatch.channels.websocket import WebSocketSender
from scheduler.aws_errors import ErrorClass
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import NOT_CONNECTED, Delivery, Recipient
from scheduler.outbox.retry_policy import ProviderError
from scheduler.realtime.connections import Connections
from tests.integration.dispatch.conftest import CONNECTIONS_TABLE
from tests.support.deliveries import delivery
from tests.support.provider import CONNECTIONS, Provider, Refusal
from tests.support.world import NOW

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@pytest.fixture
def sender(dynamodb: DynamoDBClient, provider: Provider) -> WebSocketSender:
    connections = Connections(dynamodb, CONNECTIONS_TABLE)
    return WebSocketSender(connections, provider.url, 2, lambda: NOW)


def connect(dynamodb: DynamoDBClient, *ids: str, user: str = "u1", left: int = 60) -> None:
    for id_ in ids:
        dynamodb.put_item(
            TableName=CONNECTIONS_TABLE,
            Item={
                "connection_id": {"S": id_},
                "user_id": {"S": user},
                "expires_at": {"N": str(int(NOW.timestamp()) + left)},
            },
        )


def known(dynamodb: DynamoDBClient) -> set[str]:
    items = dynamodb.scan(TableName=CONNECTIONS_TABLE)["Items"]
    return {item["connection_id"]["S"] for item in items}


def frames(*numbers: int, user: str = "u1") -> list[Delivery]:
    return [
        delivery(Channel.WEBSOCKET, id=n, notification_id=f"n{n}", recipient=Recipient(user))
        for n in numbers
    ]


def send(sender: WebSocketSender, *deliveries: Delivery) -> list[SendResponse]:
    return list(sender.send(deliveries))


def received(provider: Provider, connection_id: str) -> list[str]:
    return [one.body["id"] for one in provider.requests(f"{CONNECTIONS}{connection_id}")]


def test_every_connection_of_a_user_receives_the_frame(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "phone", "laptop")
    connect(dynamodb, "of another user", user="u2")

    assert send(sender, *frames(1)) == [Accepted()]

    assert received(provider, "phone") == received(provider, "laptop") == ["n1"]
    assert received(provider, "of") == []
    assert json.loads(provider.requests(CONNECTIONS)[0].raw) == {
        "type": "device_released",
        "id": "n1",
        "title": "设备已释放",
        "message": "设备故障：Docker container crashed",
        "data": {"deviceId": "d1"},
        "createdAt": "2026-03-01T12:00:00+00:00",
    }


def test_frames_of_a_user_are_sent_in_order(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "phone")
    connect(dynamodb, "other", user="u2")

    send(sender, *frames(1, 2, 4, 5))
    send(sender, *frames(3, user="u2"))

    assert received(provider, "phone") == ["n1", "n2", "n4", "n5"]
    assert received(provider, "other") == ["n3"]


def test_user_without_a_connection_is_not_connected(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "expired", left=0)

    assert send(sender, *frames(1)) == [Unreachable(NOT_CONNECTED)]
    assert provider.requests(CONNECTIONS) == []


def test_connection_that_is_gone_is_deleted(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "gone", "open")
    provider.refuse(f"{CONNECTIONS}gone", Refusal(410, "GoneException"))

    assert send(sender, *frames(1, 2)) == [Accepted(), Accepted()]

    assert known(dynamodb) == {"open"}
    assert received(provider, "gone") == ["n1"]
    assert received(provider, "open") == ["n1", "n2"]


def test_user_whose_connections_are_all_gone_is_not_connected(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "a", "b")
    provider.refuse(CONNECTIONS, Refusal(410, "GoneException"))

    assert send(sender, *frames(1, 2)) == [Unreachable(NOT_CONNECTED)] * 2
    assert known(dynamodb) == set()


def test_one_connection_that_accepts_is_enough(
    sender: WebSocketSender, dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connect(dynamodb, "broken", "open")
    provider.refuse(f"{CONNECTIONS}broken", Refusal(500, "InternalFailure"))

    assert send(sender, *frames(1)) == [Accepted()]
    assert known(dynamodb) == {"broken", "open"}


@pytest.mark.parametrize(
    ("refusal", "error_class"),
    [
        (Refusal(429, "LimitExceededException"), ErrorClass.RECIPIENT_BUSY),
        (Refusal(413, "PayloadTooLargeException"), ErrorClass.PERMANENT),
        (Refusal(500, "InternalFailure"), ErrorClass.TRANSIENT),
    ],
)
def test_error_is_classified(
    sender: WebSocketSender,
    dynamodb: DynamoDBClient,
    provider: Provider,
    refusal: Refusal,
    error_class: ErrorClass,
) -> None:
    connect(dynamodb, "phone")
    provider.refuse(CONNECTIONS, refusal)

    (response,) = send(sender, *frames(1))

    assert isinstance(response, ProviderError)
    assert response.error_class is error_class
    assert len(provider.requests(CONNECTIONS)) == 1


def test_missing_table_is_an_error_for_every_delivery(
    dynamodb: DynamoDBClient, provider: Provider
) -> None:
    connections = Connections(dynamodb, "no such table")
    sender = WebSocketSender(connections, provider.url, 2, lambda: NOW)

    responses = send(sender, *frames(1, 2))

    assert [getattr(one, "error_class", None) for one in responses] == [ErrorClass.TRANSIENT] * 2


def test_throttled_look_up_of_the_connections_loses_no_frame(
    dynamodb: DynamoDBClient, provider: Provider
) -> None:
    sender = WebSocketSender(Connections(dynamodb, CONNECTIONS_TABLE), provider.url, 2, lambda: NOW)

    with Stubber(dynamodb) as throttling:
        throttling.add_client_error("query", "ProvisionedThroughputExceededException")
        (response,) = send(sender, *frames(1))

    assert isinstance(response, ProviderError)
    assert response.error_class is ErrorClass.THROTTLED
