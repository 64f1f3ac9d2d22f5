"""The function as deployed: from a committed event to e-mail, SMS, frame and outgoing event."""

from __future__ import annotations

import json
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from local.aws import sent_messages
from local.environment import SENDER, aws_environment
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from local.schedules import scheduled_event
from scheduler.domain.notices import Channel
from scheduler.messaging.topology import NOTIFICATION_QUEUE, VHOST
from tests.integration.dispatch.conftest import CONNECTIONS_TABLE
from tests.integration.dispatch.outbox import NewNotification, Outbox
from tests.support.events import message
from tests.support.functions import NOWHERE, Functions
from tests.support.provider import CONNECTIONS, EMAIL, SMS, Provider, Refusal
from tests.support.world import NOW, held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from types_boto3_dynamodb import DynamoDBClient

    from tests.support.store import Store

NUDGE: dict[str, Any] = {
    "eventSource": "aws:rmq",
    "eventSourceArn": "arn:aws:mq:us-east-1:000000000000:broker:b:b-1",
    "rmqMessagesByQueue": {
        f"{NOTIFICATION_QUEUE}::{VHOST}": [{"basicProperties": {}, "data": "e30="}]
    },
}
SCHEDULE = scheduled_event("every-minute", NOW)
FAR_AHEAD = 4_000_000_000


class DeployedDispatcher:
    """An execution environment of the deployed function."""

    def __init__(self, environment: LambdaEnvironment) -> None:
        self._environment = environment

    def __call__(self, event: object = NUDGE) -> dict[str, int]:
        """Invoke the function and return its result."""
        result: dict[str, int] = json.loads(self._environment.invoke(json.dumps(event).encode()))
        return result

    @property
    def log(self) -> str:
        """Return the log."""
        return self._environment.log_file.read_text("utf-8")


@pytest.fixture
def start(
    database_url: str,
    broker_url: str,
    aws_url: str,
    dynamodb: DynamoDBClient,
    provider: Provider,
    tmp_path: Path,
) -> Iterator[Callable[..., DeployedDispatcher]]:
    """Return a function that starts the dispatcher, with more environment variables if given."""
    assert dynamodb
    variables = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "REALTIME_CONNECTIONS_TABLE": CONNECTIONS_TABLE,
        "WEBSOCKET_ENDPOINT": provider.url,
        "EMAIL_FROM": SENDER,
        "DISPATCH_THREADS": "4",
        **aws_environment(aws_url),
    }
    with ExitStack() as stack:

        def start_one(**other: str) -> DeployedDispatcher:
            function = Function(
                "dispatch", "notification_dispatch.app.handler", variables | other, tmp_path, 60
            )
            return DeployedDispatcher(
                stack.enter_context(closing(LambdaEnvironment(function, "log")))
            )

        yield start_one


@pytest.fixture
def dispatch(start: Callable[..., DeployedDispatcher]) -> DeployedDispatcher:
    return start()


def present() -> datetime:
    """The deployed function has the real clock, and does not send notifications of yesterday."""
    return datetime.now(UTC)


def connect(dynamodb: DynamoDBClient, connection_id: str, user_id: str = "u1") -> None:
    item = {"connection_id": {"S": connection_id}, "user_id": {"S": user_id}}
    expiry = {"expires_at": {"N": str(FAR_AHEAD)}}
    dynamodb.put_item(TableName=CONNECTIONS_TABLE, Item={**item, **expiry})


@pytest.mark.parametrize("event", [NUDGE, SCHEDULE], ids=["nudge", "schedule"])
def test_overdue_account_is_notified_on_every_channel(
    dispatch: DeployedDispatcher,
    event: object,
    store: Store,
    dynamodb: DynamoDBClient,
    provider: Provider,
    aws_url: str,
) -> None:
    store.seed(world(user(), held("d1")))
    connect(dynamodb, "phone")
    with Functions(store.settings.database_url.get_secret_value(), clock=present) as functions:
        functions.handle(message("billing.overdue"))

    counts = dispatch(event)

    text = "账户已欠费 ¥150.50（7天），所有设备已自动释放。"
    frames = [one.body for one in provider.requests(f"{CONNECTIONS}phone")]
    assert [frame["type"] for frame in frames] == ["device_released", "billing_alert"]
    assert frames[1]["message"] == text
    assert [(mail.to, mail.subject) for mail in sent_messages(aws_url).mails] == [
        ("someone@example.com", "账户欠费")
    ]
    assert text in sent_messages(aws_url).mails[0].html
    assert [sms.text for sms in sent_messages(aws_url).sms] == [text]
    assert counts == {"published": 1, "websocket_sent": 2, "email_sent": 1, "sms_sent": 1}
    assert dispatch(event) == {"published": 0}


def test_user_of_six_devices_gets_six_frames_and_one_digest(
    dispatch: DeployedDispatcher,
    store: Store,
    dynamodb: DynamoDBClient,
    provider: Provider,
    aws_url: str,
) -> None:
    store.seed(world(user(locale="en"), *(held(f"d{n}") for n in range(6))))
    choices = '{"device_released": {"email": true, "sms": true}}'
    store.insert("notification_preferences", "user_id, channels", [("u1", choices)])
    connect(dynamodb, "phone")
    with Functions(store.settings.database_url.get_secret_value(), clock=present) as functions:
        functions.handle(message("user.suspended"))

    dispatch()

    frames = [one.body["type"] for one in provider.requests(CONNECTIONS)]
    assert sorted(frames) == ["account_suspended", *["device_released"] * 6]
    assert sorted(mail.subject for mail in sent_messages(aws_url).mails) == [
        "6 devices released",
        "Account suspended",
    ]
    assert [sms.text.partition(":")[0] for sms in sent_messages(aws_url).sms] == [
        "6 devices were released automatically"
    ]


def test_failing_email_does_not_delay_other_channels(
    start: Callable[..., DeployedDispatcher],
    outbox: Outbox,
    dynamodb: DynamoDBClient,
    provider: Provider,
) -> None:
    provider.refuse(EMAIL, Refusal(503, "ServiceUnavailable"))
    outbox.add_users(("u1", "someone@example.com", None))
    outbox.add(NewNotification(channels=(Channel.WEBSOCKET, Channel.EMAIL), at=present()))
    connect(dynamodb, "phone")

    counts = start(AWS_ENDPOINT_URL_SESV2=provider.url)()

    assert counts == {"published": 0, "websocket_sent": 1, "email_retried": 1}


def test_metrics_and_logs_contain_no_address(
    start: Callable[..., DeployedDispatcher], outbox: Outbox, provider: Provider
) -> None:
    provider.refuse(EMAIL, Refusal(400, "MessageRejected", "someone@example.com is not verified"))
    provider.refuse(SMS, Refusal(400, "InvalidParameter", "+8613800138000 is not reachable"))
    outbox.add_users(("u1", "someone@example.com", "+8613800138000"))
    outbox.add(NewNotification(at=present()))
    dispatch = start(AWS_ENDPOINT_URL_SESV2=provider.url, AWS_ENDPOINT_URL_SNS=provider.url)

    dispatch()

    assert "example.com" not in dispatch.log
    assert "13800138000" not in dispatch.log
    documents = [json.loads(line) for line in dispatch.log.splitlines() if line.startswith("{")]
    metrics = {
        (one["channel"], one["status"]): one["scheduler_notifications_total"]
        for one in documents
        if "_aws" in one
    }
    assert metrics == {
        ("websocket", "skipped"): 1,
        ("email", "retried"): 1,
        ("sms", "failed"): 1,
    }
    lines = {one["channel"]: one for one in documents if "notification_id" in one}
    assert {channel: (one["message"], one.get("error")) for channel, one in lines.items()} == {
        "websocket": (
            "Notification skipped: device_released to user u1",
            "not connected; it waits in the inbox",
        ),
        "email": (
            "Notification retried: device_released to user u1",
            "MessageRejected: … is not verified",
        ),
        "sms": (
            "Notification failed: device_released to user u1",
            "InvalidParameter: … is not reachable",
        ),
    }


def test_without_database_the_invocation_succeeds(start: Callable[..., DeployedDispatcher]) -> None:
    dispatch = start(DATABASE_URL="mysql://nobody@127.0.0.1:1/nothing")

    assert dispatch() == {"published": 0}
    assert "Database unavailable" in dispatch.log


def test_without_broker_users_are_still_notified(
    start: Callable[..., DeployedDispatcher], outbox: Outbox, store: Store
) -> None:
    outbox.add_users(("u1", "someone@example.com", None))
    outbox.add(NewNotification(channels=(Channel.EMAIL,), at=present()))
    outbox.add_events(("device.released", "{}"))

    counts = start(BROKER_URL=NOWHERE)()

    assert counts == {"published": 0, "email_sent": 1}
    assert store.rows("SELECT COUNT(*) FROM outgoing_events WHERE published_at IS NULL") == [(1,)]
