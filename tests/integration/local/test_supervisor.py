"""``python -m local``: its output, and what remains when it ends."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx
import pika
import psutil
import pymysql
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from local import ports
from local.aws import aws_client
from local.processes import ProcessList, is_alive
from local.template import dynamodb_tables
from scheduler.database.url import DatabaseUrl
from scheduler.messaging.topology import queues, work_queues
from tests.support.local_platform import LocalPlatform, start_lock, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEYS = {
    *("api", "websocket", "console", "amqp", "rabbitmq_management", "database", "aws"),
    *("tokens", "shards", "operations", "payment_failures_table"),
}


@pytest.fixture(scope="module", autouse=True)
def _taken_port() -> Iterator[None]:
    """Keep the default port of the API in use."""
    with socket.socket() as taken:
        # As servers do: bind even if closed connections are still in TIME_WAIT.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            taken.bind((ports.HOST, ports.API))
            taken.listen()
        yield


@pytest.fixture
def running(private: LocalPlatform) -> LocalPlatform:
    """A running platform; started again after the test that kills it."""
    if not private.state.endpoints.exists():
        private.run()
    return private


def test_all_endpoints_respond(running: LocalPlatform) -> None:
    endpoints = running.endpoints()

    assert set(endpoints) == KEYS
    assert set(endpoints["tokens"]) == {"admin", "user-123"}
    assert httpx.get(f"{endpoints['api']}/api/health").status_code == 200
    assert httpx.get(endpoints["console"]).status_code == 200
    with pytest.raises(InvalidStatus, match="401"), connect(endpoints["websocket"]):
        pass
    assert httpx.get(f"{endpoints['rabbitmq_management']}/api/whoami").status_code == 200
    assert httpx.get(f"{endpoints['aws']}/moto-api/").status_code == 200
    assert urlsplit(endpoints["amqp"]).path == "/cloudphone"
    with closing(pika.BlockingConnection(pika.URLParameters(endpoints["amqp"]))) as connection:
        for queue in queues():
            connection.channel().queue_declare(queue.name, passive=True)


def test_endpoints_are_readable_by_their_owner_only(running: LocalPlatform) -> None:
    assert running.state.endpoints.stat().st_mode & 0o077 == 0


def test_logs_are_not_readable_by_other_accounts(running: LocalPlatform) -> None:
    logs = [running.state.output, *running.state.logs.rglob("*.log")]

    assert [path.name for path in logs if path.exists() and path.stat().st_mode & 0o027] == []
    assert len(logs) > 1


def test_passwords_are_not_printed(running: LocalPlatform) -> None:
    for key in ("amqp", "database", "rabbitmq_management"):
        password = urlsplit(running.endpoints()[key]).password
        assert password
        assert password not in running.printed()
    assert running.endpoints()["tokens"]["admin"] not in running.printed()


def test_demo_data_is_inserted(running: LocalPlatform) -> None:
    users = query(
        running, "SELECT id, max_devices, email IS NOT NULL, phone IS NOT NULL FROM users"
    )
    devices = query(running, "SELECT id FROM devices ORDER BY id")
    sizes = query(running, "SELECT DISTINCT cpu_cores, memory_mb FROM devices")

    assert ("user-123", 8, 1, 1) in users
    assert "user-456" in {user for user, *_ in users}
    assert [device for (device,) in devices] == [f"device-{n:03}" for n in range(1, 21)]
    assert len(sizes) > 3
    held = query(running, "SELECT user_id, device_id FROM allocations WHERE status = 'ALLOCATED'")
    assert held == (("user-123", "device-001"),), "the example command must release something"


def test_port_in_use_is_replaced_and_printed(running: LocalPlatform) -> None:
    port = urlsplit(running.endpoints()["api"]).port

    said = f"Port {ports.API} (HTTP API) is in use; using {port} instead\n"
    # The platform of another pytest worker may have released the port.
    assert port == ports.API or said in running.printed()


@pytest.mark.parametrize("command", ["run", "up", "status"])
def test_second_start_prints_the_addresses_of_the_first(
    running: LocalPlatform, command: str
) -> None:
    before = running.endpoints()

    second = running.command(command)

    assert second.returncode == 0
    assert f"CloudPhone Scheduler is running (process {running.supervisor.pid})" in second.stdout
    assert before["api"] in second.stdout
    assert running.endpoints() == before


def test_clean_refuses_while_the_platform_runs(running: LocalPlatform) -> None:
    cleaned = running.command("clean")

    assert cleaned.returncode == 1
    assert cleaned.stderr == "error: the platform is running; stop it first: make down\n"


def test_down_stops_the_servers_of_a_killed_run(running: LocalPlatform) -> None:
    everything = psutil.Process(running.supervisor.pid).children(recursive=True)
    running.kill()
    orphans = running.processes()
    assert {"mariadbd", "beam.smp", "epmd"} <= {orphan.name() for orphan in orphans}

    down = running.command("down")

    assert "Stopping servers of an earlier run" in down.stdout
    wait_for(lambda: not any(map(is_alive, everything)))
    assert not running.state.endpoints.exists()
    assert running.command("status").returncode == 3


def test_up_after_a_killed_run_keeps_its_data(own_database: LocalPlatform) -> None:
    own_database.run()
    query(own_database, "UPDATE devices SET health = 'failed' WHERE id = 'device-007'")
    own_database.kill()

    printed = own_database.up()

    assert "Stopping servers of an earlier run" in printed
    assert own_database.endpoints()["api"] in printed
    failed = query(own_database, "SELECT id FROM devices WHERE health = 'failed'")
    assert failed == (("device-007",),)
    assert own_database.command("down").returncode == 0
    assert own_database.processes() == []
    assert own_database.command("clean").returncode == 0
    assert not own_database.state.path.exists()


def test_shards_set_the_number_of_queues_and_consumers(given: LocalPlatform) -> None:
    given.variables["SHARDS"] = "2"

    endpoints = given.run()

    assert endpoints["shards"] == 2
    with pika.BlockingConnection(pika.URLParameters(endpoints["amqp"])) as connection:
        channel = connection.channel()

        def consumers() -> set[int]:
            names = [queue.name for queue in work_queues(shards=2)]
            found = (channel.queue_declare(name, passive=True).method for name in names)
            return {one.consumer_count for one in found}

        wait_for(lambda: consumers() == {1})


def test_ctrl_c_leaves_no_process_and_no_endpoints(given: LocalPlatform) -> None:
    endpoints = given.run()
    assert "rabbitmq_management" not in endpoints
    children = psutil.Process(given.supervisor.pid).children(recursive=True)
    assert children

    assert given.press_ctrl_c() == 0

    assert not any(map(is_alive, children))
    assert given.processes() == []
    assert not given.state.endpoints.exists()


def test_ctrl_c_while_starting_leaves_no_process(given: LocalPlatform) -> None:
    with start_lock():
        given.start()
        wait_for(given.state.processes.exists)

        assert given.press_ctrl_c() == 0

    assert given.processes() == []
    assert "Stopped before everything was started" in given.printed()


def test_server_that_dies_is_started_again(given: LocalPlatform) -> None:
    given.run()
    (aws,) = ProcessList(given.state.processes).alive()

    aws.kill()

    wait_for(lambda: "AWS runs again" in given.printed())
    assert "AWS: " in given.printed()
    assert "ended with code -9; see " in given.printed()
    tables = aws_client("dynamodb", given.endpoints()["aws"]).list_tables()["TableNames"]
    assert len(tables) == len(dynamodb_tables())


def test_other_process_with_a_reused_id_is_not_stopped(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        recorded = [{"pid": other.pid, "started": 1.0}]
        (tmp_path / "processes.json").write_text(json.dumps(recorded))

        ProcessList(tmp_path / "processes.json").stop_all()

        assert other.poll() is None
        other.kill()


def query(platform: LocalPlatform, sql: str) -> tuple[tuple[Any, ...], ...]:
    url = DatabaseUrl.parse(platform.endpoints()["database"])
    connection = pymysql.connect(
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password or "",
        database=url.name,
        autocommit=True,
    )
    with closing(connection), connection.cursor() as cursor:
        cursor.execute(sql)
        return cursor.fetchall()
