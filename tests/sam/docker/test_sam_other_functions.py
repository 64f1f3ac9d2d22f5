"""The functions that no sample file is for: dispatcher, housekeeping, realtime, provisioning."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pymysql

from local.aws import aws_client, sent_messages
from local.sam.network import ALIAS
from local.schedules import scheduled_event
from local.websocket.events import Peer, connect_event, disconnect_event
from scheduler.database.url import DatabaseUrl
from tests.sam.docker.stage import USER

if TYPE_CHECKING:
    from tests.integration.provisioning.cloudformation import CloudFormation
    from tests.sam.docker.stage import Stage

ACCOUNT = ("application", "only here")
OPERATIONS = ("operator", "secret of operators")
CONNECTIONS = "realtime-connections"
PEER = Peer("sam-1=", datetime.now(UTC), "127.0.0.1", "test", "localhost")

_NOTICE = """\
INSERT INTO notifications
SET id = uuid(), user_id = 'user-123', type = 'billing_alert', title = '余额', message = '余额不足',
    data = '{}', dedupe_key = 'mine', created_at = UTC_TIMESTAMP(6)
"""
_DELIVERY = """\
INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
SELECT id, 'email', UTC_TIMESTAMP(6) FROM notifications
"""


def encoded(event: object) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode()


def every_minute(function: str, stage: Stage) -> Any:  # noqa: ANN401 - any JSON
    return stage.sam.invoke(function, encoded(scheduled_event("every-minute", datetime.now(UTC))))


def test_dispatcher_sends_due_deliveries(stage: Stage) -> None:
    before = len(sent_messages(stage.endpoints["aws"]).mails)
    stage.store.run(_NOTICE, _DELIVERY)

    every_minute("NotificationDispatchFunction", stage)

    assert stage.store.rows("SELECT status FROM notification_deliveries") == [("sent",)]
    assert len(sent_messages(stage.endpoints["aws"]).mails) == before + 1


def test_housekeeping_ends_expired_allocations(stage: Stage) -> None:
    stage.hold("device-001")
    stage.store.run("UPDATE allocations SET expires_at = UTC_TIMESTAMP(6) - INTERVAL 1 SECOND")

    jobs = every_minute("HousekeepingFunction", stage)

    assert {job["status"] for job in jobs.values()} == {"done"}
    assert stage.store.rows("SELECT status FROM allocations") == [("EXPIRED",)]
    assert stage.row("status", "devices", "device-001") == ("available",)


def test_realtime_accepts_a_ticket_once(stage: Stage) -> None:
    connect = encoded(connect_event(PEER, (), [("ticket", stage.ticket())]))

    assert stage.sam.invoke("RealtimeFunction", connect) == {"statusCode": 200}
    assert stage.sam.invoke("RealtimeFunction", connect) == {"statusCode": 401}


def test_realtime_removes_a_closed_connection(stage: Stage) -> None:
    dynamodb = aws_client("dynamodb", stage.endpoints["aws"])
    key = {"connection_id": {"S": PEER.connection_id}}
    item = {**key, "user_id": {"S": USER}, "expires_at": {"N": "4000000000"}}
    dynamodb.put_item(TableName=CONNECTIONS, Item=item)

    stage.sam.invoke("RealtimeFunction", encoded(disconnect_event(PEER, 1000, "bye")))

    assert "Item" not in dynamodb.get_item(TableName=CONNECTIONS, Key=key)


def test_provisioning_creates_the_account_and_answers_cloudformation(
    stage: Stage, cloudformation: CloudFormation
) -> None:
    secrets = aws_client("secretsmanager", stage.endpoints["aws"])

    def stored(name: str, account: tuple[str, str]) -> str:
        text = json.dumps(dict(zip(("username", "password"), account, strict=True)))
        arn: str = secrets.create_secret(Name=name, SecretString=text)["ARN"]
        return arn

    request = cloudformation.request("Create")
    request["ResponseURL"] = request["ResponseURL"].replace("127.0.0.1", ALIAS)

    stage.sam.invoke(
        "ProvisioningFunction",
        encoded(request),
        APPLICATION_USER="unused",
        APPLICATION_SECRET_ARN=stored("application", ACCOUNT),
        OPERATIONS_USER="unused",
        OPERATIONS_SECRET_ARN=stored("operations", OPERATIONS),
        BROKER_MANAGEMENT_URL=stage.endpoints["rabbitmq_management"],
    )

    assert cloudformation.answer["Status"] == "SUCCESS", cloudformation.answer
    where = DatabaseUrl.parse(stage.endpoints["database"])
    user, password = ACCOUNT
    with closing(
        pymysql.connect(
            host=where.host, port=where.port, user=user, password=password, database=where.name
        )
    ) as connection:
        assert connection.cursor().execute("SELECT id FROM users") == 2
