"""The operations function's accounts suffice for every operation, and for nothing else."""

from __future__ import annotations

import base64
import json
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pymysql
import pytest

from operations import catalogue
from operations.context import OperationContext
from operations.dead_letters.copies import to_copy
from operations.dead_letters.letter import DeadLetter
from provisioning.app import provision
from scheduler.database.connection import connect
from scheduler.deadline import NEVER
from scheduler.settings import DatabaseSettings
from tests.integration.ops.letters import Broker, letter
from tests.integration.provisioning.conftest import DATABASE, OPERATIONS, VHOST

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ

OPERATOR = ("scheduler-operator", "operator-secret")
NOTHING: dict[str, Any] = {}


@pytest.fixture
def context(
    database: MariaDB, rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> Iterator[OperationContext]:
    client = boto3.client("secretsmanager")
    text = json.dumps(dict(zip(("username", "password"), OPERATOR, strict=True)))
    arn = client.create_secret(Name="operator", SecretString=text)["ARN"]
    monkeypatch.setenv("OPERATOR_SECRET_ARN", arn)
    provision()
    broker = f"amqp://{':'.join(OPERATOR)}@127.0.0.1:{rabbitmq.ports.amqp}/{VHOST}"
    user, password = OPERATIONS
    place = database.url_of(DATABASE).rpartition("@")[2]
    sql = f"mysql://{user}:{password.replace(' ', '%20')}@{place}"
    management = f"http://{':'.join(OPERATOR)}@127.0.0.1:{rabbitmq.ports.management}"
    yield OperationContext(lambda: broker, lambda: sql, management_url=management)
    rabbitmq.delete_user(OPERATOR[0])
    client.delete_secret(SecretId="operator", ForceDeleteWithoutRecovery=True)


def test_every_operation_is_permitted(context: OperationContext, rabbitmq: RabbitMQ) -> None:
    broker = Broker(rabbitmq.url_of(VHOST))
    broker.publish(*(letter(id=f"m-{number}", deviceId="d1") for number in range(4)))
    body = base64.b64encode(b'{"deviceId": "d1", "reason": "x"}').decode()

    def call(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
        done.add(name)
        now = replace(context, now=datetime.now(UTC), deadline=NEVER)
        return catalogue.run(name, arguments, now)

    done = set[str]()
    queues = call("queues", NOTHING)["queues"]
    assert queues["scheduler.device-failed"]["unacked"] == 0
    for name in ("brake.status", "brake.engage", "brake.arm", "outbox", "dead-letters.list"):
        call(name, NOTHING)
    call("brake.release", {"seconds": 60})
    found = call("overview", NOTHING)
    assert [found[one].get("error") for one in ("database", "broker")] == [None, None]
    call("users", {"totals": True})
    call("devices", {"totals": True})
    call("user.allocations", {"userId": "x1"})
    call("message", {"id": "m-1"})
    for name, id_ in (("user", "userId"), ("user.details", "userId"), ("device", "deviceId")):
        with pytest.raises(Exception, match="there is no"):
            call(name, {id_: "x1"})
    day = {"start": "2026-11-26T00:00:00Z", "end": "2026-11-27T00:00:00Z"}
    for kind in ("user", "device"):
        call("timeline", {"kind": kind, "id": "x1", **day})
    assert call("publish", {"eventType": "device.failed", "body": body, "ids": ["p-1"]})
    shown = call("dead-letters.show", NOTHING)
    assert call("dead-letters.check", NOTHING)["unchecked"] == ""
    (first, *_) = call("dead-letters.preview", NOTHING)["letters"]
    assert (first["outcome"], first["changes"]) == ("done", ["sets device d1 to failed, available"])
    edit = {
        "fingerprint": shown["fingerprints"][0],
        "body": '{"deviceId": "d2", "reason": "fixed"}',
    }
    assert call("dead-letters.check-edit", edit)["unchecked"] == ""
    assert call("dead-letters.edit", edit | {"newId": "new-1"})["notNoted"] == ""
    one = {"ids": ["m-1"], "until": shown["at"]}
    page = call("dead-letters.discard", one)
    gone = call("dead-letters.discard", {**one, "remove": page["fingerprints"]})
    assert (gone["discarded"], gone["notNoted"]) == (1, "")
    replayed = call("dead-letters.replay", NOTHING)
    assert (replayed["replayed"], replayed["notNoted"]) == (2, "")
    (taken,) = broker.take("scheduler.device-failed")[-1:]
    copy = to_copy(DeadLetter("scheduler.device-failed.failed", taken.properties, taken.body))
    assert call("dead-letters.restore", {"letters": [copy]})["replayed"] == 1
    cleaned = call("smoke", {"failed": True})  # only cleans: there are no functions here
    assert [one["passed"] for one in cleaned["checks"] if one["passed"] is not None] == [True, True]
    assert done == set(catalogue.OPERATIONS), "call the new operation here"


@pytest.mark.usefixtures("context")
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM users",
        "UPDATE allocations SET status = 'RELEASED'",
        "DELETE FROM operator_actions",
        "DELETE FROM letter_actions",
        "UPDATE letter_actions SET caller = 'x'",
        "INSERT INTO devices (id, name) VALUES ('d', 'd')",
    ],
)
def test_account_cannot_change_data(database: MariaDB, statement: str) -> None:
    user, password = OPERATIONS
    place = database.url_of(DATABASE).rpartition("@")[2]
    url = f"mysql://{user}:{password.replace(' ', '%20')}@{place}"
    settings = DatabaseSettings.model_validate({"DATABASE_URL": url})

    with (
        closing(connect(settings)) as connection,
        connection.cursor() as cursor,
        pytest.raises(pymysql.OperationalError, match="denied"),
    ):
        cursor.execute(statement)
