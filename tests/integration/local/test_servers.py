"""The private servers listen on the loopback interface only, and their data survives SIGKILL."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import httpx
import pika
import psutil
import pymysql
import pytest

from local import LocalError
from local.servers.mariadb import MariaDB
from scheduler.messaging.topology import EVENTS_EXCHANGE, WORK_QUEUES
from tests.support.queues import await_saved_names

if TYPE_CHECKING:
    from pathlib import Path

    from local.servers.moto import Moto
    from local.servers.rabbitmq import RabbitMQ
    from local.servers.server import Server

QUEUE = WORK_QUEUES[0]


def test_commit_survives_killing_mariadb(mariadb: MariaDB, database_url: str) -> None:
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("INSERT INTO cloudphone.users (id, max_devices) VALUES ('user-1', 3)")

    mariadb.kill()
    mariadb.start()

    assert mariadb.url == database_url
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT id, max_devices FROM cloudphone.users")
        assert cursor.fetchall() == (("user-1", 3),)


def test_confirmed_message_survives_killing_rabbitmq(rabbitmq: RabbitMQ, broker_url: str) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish(EVENTS_EXCHANGE, QUEUE.event_type, b"kept", mandatory=True)

    await_saved_names()
    rabbitmq.kill()
    rabbitmq.start()

    assert rabbitmq.url == broker_url
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        _method, _properties, body = connection.channel().basic_get(QUEUE.name, auto_ack=True)
        assert body == b"kept"


def test_servers_listen_on_the_loopback_interface_only(
    mariadb: MariaDB, rabbitmq: RabbitMQ, moto: Moto
) -> None:
    addresses = {
        connection.laddr.ip
        for server in (mariadb, rabbitmq, moto)
        for process in _processes(server)
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }

    assert addresses <= {"127.0.0.1", "::1"}
    assert addresses


def test_broker_has_no_guest_account(rabbitmq: RabbitMQ) -> None:
    users = httpx.get(f"{rabbitmq.management_url}/api/users").json()

    assert [user["name"] for user in users] == ["cloudphone"]


def test_database_refuses_logins_without_the_password(mariadb: MariaDB) -> None:
    for user in ("cloudphone", "root", ""):
        with pytest.raises(pymysql.OperationalError, match="Access denied"):
            pymysql.connect(host="127.0.0.1", port=mariadb.port, user=user)


def test_error_names_a_port_in_use(mariadb: MariaDB, tmp_path: Path) -> None:
    second = MariaDB(tmp_path / "second", tmp_path, mariadb.port)

    with pytest.raises(LocalError, match=f"port {mariadb.port} is in use"):
        second.start()


def test_error_of_a_server_that_does_not_start_names_its_log(tmp_path: Path) -> None:
    broken = MariaDB(tmp_path / "broken", tmp_path, 29_999, ["--no-such-option"])

    with pytest.raises(LocalError, match=r"mariadbd ended with code \d+; see .*mariadb.log"):
        broken.start()


def _processes(server: Server) -> list[psutil.Process]:
    return [psutil.Process(pid) for pid in server.pids()]
