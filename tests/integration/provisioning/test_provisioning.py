"""The custom resource, on real servers."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING, Any
from unittest.mock import ANY

import pika
import pymysql
import pytest

from provisioning import database_server
from provisioning.app import handler, provision
from provisioning.custom_resource import ResourceRequest
from scheduler.messaging import topology
from tests.integration.provisioning.cloudformation import CloudFormation, Invocation
from tests.integration.provisioning.conftest import ACCOUNT, DATABASE, VHOST

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB
    from local.servers.rabbitmq import RabbitMQ


def invoke(event: dict[str, Any], seconds: float = 300) -> None:
    handler(event, Invocation(seconds))  # type: ignore[arg-type]  # it has what the handler uses


def application(database: MariaDB) -> pymysql.Connection:
    user, password = ACCOUNT
    return pymysql.connect(
        host="127.0.0.1", port=database.port, user=user, password=password, database=DATABASE
    )


def depth(rabbitmq: RabbitMQ, queue: str) -> int:
    parameters = pika.URLParameters(rabbitmq.url_of(VHOST))
    with closing(pika.BlockingConnection(parameters)) as connection:
        declared = connection.channel().queue_declare(queue, passive=True)
        return int(declared.method.message_count)


def test_revision_changes_with_the_configuration_of_the_api(cloudformation: CloudFormation) -> None:
    def revision(*configuration: str, **more: str) -> str:
        properties: Any = {"ApiConfiguration": list(configuration), **more}
        request = cloudformation.request("Update", ResourceProperties=properties)
        return ResourceRequest.model_validate(request).api_revision

    assert revision("a", "b") == revision("a", "b", LogGroups="x")
    assert len({revision("a", "b"), revision("a", "c"), revision("ab"), revision()}) == 4


@pytest.mark.parametrize("kind", ["Create", "Update"])
def test_create_and_update_provision_everything(
    kind: str, cloudformation: CloudFormation, database: MariaDB, rabbitmq: RabbitMQ
) -> None:
    invoke(cloudformation.request(kind))

    assert cloudformation.answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": "provisioning",
        "StackId": "arn:aws:cloudformation:us-east-1:123456789012:stack/cloudphone/1",
        "RequestId": f"{kind}-1",
        "LogicalResourceId": "Provisioning",
        "Data": {"ApiRevision": ANY},
    }
    for queue in topology.queues():
        assert depth(rabbitmq, queue.name) == 0
    with closing(application(database)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO users SET id = 'user-1', max_devices = 1")
        cursor.execute("SELECT id FROM users")
        assert cursor.fetchall() == (("user-1",),)


def test_event_has_the_configured_number_of_queues(
    rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SHARDS", "2")

    provision()

    for queue in topology.queues(shards=2):
        assert depth(rabbitmq, queue.name) == 0


def test_application_may_not_change_the_schema(database: MariaDB) -> None:
    provision()

    with closing(application(database)) as connection, connection.cursor() as cursor:
        for statement in ("DROP TABLE users", "CREATE TABLE mine (id INT)", "CREATE USER other"):
            with pytest.raises(pymysql.OperationalError, match="denied"):
                cursor.execute(statement)


def test_application_has_no_access_to_a_database_of_a_similar_name(database: MariaDB) -> None:
    similar = DATABASE.replace("_", "x")
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE OR REPLACE DATABASE {similar}")

        provision()

        with closing(application(database)) as other, other.cursor() as asking:
            asking.execute("SHOW DATABASES")
            seen = {name for (name,) in asking.fetchall()}
        cursor.execute(f"DROP DATABASE {similar}")

    assert seen == {DATABASE, "information_schema"}


def test_provisioning_is_idempotent(cloudformation: CloudFormation, database: MariaDB) -> None:
    invoke(cloudformation.request("Create"))
    with closing(application(database)) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO users SET id = 'user-1', max_devices = 1")
        connection.commit()

    invoke(cloudformation.request("Update", PhysicalResourceId="from-before"))

    assert cloudformation.answers[1]["Status"] == "SUCCESS"
    assert cloudformation.answers[1]["PhysicalResourceId"] == "from-before"
    with closing(application(database)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM users")
        assert cursor.fetchone() == (1,)


def test_operator_restores_what_was_deleted(database: MariaDB, rabbitmq: RabbitMQ) -> None:
    """`aws lambda invoke` without a payload: docs/operations.md, "Provision again"."""
    invoke({})
    rabbitmq.delete_vhost(VHOST)
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"DROP USER '{ACCOUNT[0]}'@'%'")

    invoke({})

    assert depth(rabbitmq, "scheduler.device-failed") == 0
    application(database).close()


def test_operator_receives_the_error(database: MariaDB) -> None:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('scheduler-migrations', 0)")

        with pytest.raises(pymysql.OperationalError, match="not done after"):
            invoke({}, seconds=21)


def test_two_concurrent_runs_both_succeed() -> None:
    # The time limit works in the main thread only, so the handler is not used.
    failures: list[BaseException] = []

    def run() -> None:
        try:
            provision()
        except BaseException as error:  # noqa: BLE001 - the test checks for any error
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []


def test_changed_password_takes_effect(database: MariaDB) -> None:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE USER '{ACCOUNT[0]}'@'%' IDENTIFIED BY 'former'")

    provision()

    application(database).close()


def test_delete_keeps_everything(
    cloudformation: CloudFormation, database: MariaDB, rabbitmq: RabbitMQ
) -> None:
    provision()

    invoke(cloudformation.request("Delete", PhysicalResourceId="provisioning"))

    assert cloudformation.answer["Status"] == "SUCCESS"
    assert depth(rabbitmq, topology.DEAD_LETTER_QUEUE) == 0
    application(database).close()


def test_delete_needs_no_server_and_no_setting(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("BROKER_URL", "amqp://127.0.0.1:1/nowhere")

    invoke(cloudformation.request("Delete", PhysicalResourceId="provisioning"))

    assert cloudformation.answer["Status"] == "SUCCESS"


def failure(cloudformation: CloudFormation, seconds: float = 300) -> str:
    invoke(cloudformation.request("Create"), seconds)
    assert cloudformation.answer["Status"] == "FAILED"
    return str(cloudformation.answer["Reason"])


def test_every_conflicting_queue_is_named_in_the_reason(
    cloudformation: CloudFormation, rabbitmq: RabbitMQ
) -> None:
    parameters = pika.URLParameters(rabbitmq.create_vhost(VHOST))
    with closing(pika.BlockingConnection(parameters)) as connection:
        channel = connection.channel()
        for work in topology.WORK_QUEUES:
            channel.queue_declare(work.name, durable=True)

    reason = failure(cloudformation)

    assert [
        work.name for work in topology.WORK_QUEUES if f"queue {work.name}: " not in reason
    ] == []
    assert "docs/operations.md, Upgrade" in reason


def test_missing_iam_authentication_is_the_reason(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("APPLICATION_SECRET_ARN")

    assert "Plugin 'AWSAuthenticationPlugin' is not loaded" in failure(cloudformation)


def test_missing_setting_is_the_reason(
    cloudformation: CloudFormation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BROKER_URL")

    assert "BROKER_URL" in failure(cloudformation)


def test_unreachable_broker_is_the_reason_and_the_database_is_provisioned(
    cloudformation: CloudFormation, database: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BROKER_URL", "amqp://someone:hush@127.0.0.1:1/nowhere")

    reason = failure(cloudformation)

    assert "AMQPConnectionError" in reason
    assert "hush" not in reason
    application(database).close()


def test_wrong_password_is_the_reason(
    cloudformation: CloudFormation, rabbitmq: RabbitMQ, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = rabbitmq.ports.amqp
    monkeypatch.setenv("BROKER_URL", f"amqp://cloudphone:wrong@127.0.0.1:{port}/{VHOST}")

    assert "ACCESS_REFUSED" in failure(cloudformation)


def test_function_answers_before_its_timeout(
    cloudformation: CloudFormation, database: MariaDB
) -> None:
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK('scheduler-migrations', 0)")

        assert "not done after" in failure(cloudformation, seconds=21)


def test_refused_answer_is_sent_again(cloudformation: CloudFormation) -> None:
    cloudformation.refusals = 2

    invoke(cloudformation.request("Delete", PhysicalResourceId="provisioning"))

    assert cloudformation.answer["Status"] == "SUCCESS"


def test_server_that_cannot_hold_a_batch_is_named_before_anything_is_created(
    cloudformation: CloudFormation, database: MariaDB, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database_server, "_MAX_ALLOWED_PACKET", 1 << 40)

    invoke(cloudformation.request("Create"))

    assert cloudformation.answer["Status"] == "FAILED"
    assert "max_allowed_packet of the database is" in cloudformation.answer["Reason"]
    with closing(database.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SHOW TABLES FROM {DATABASE}")
        assert cursor.fetchall() == ()
