"""Measures push latency during an outage of SES, and when the e-mails are sent afterwards.

    python -m bench.ses_outage [--down 300] [--rate 5] [--how hang|refuse]

Broker, database and functions are real; a fake of SES and the WebSocket API hangs or refuses
requests. ``user.suspended`` is published at a steady rate. Each event releases a device, which is
pushed to the user's WebSocket, and sends an e-mail.
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated, Any, Final

import pika
import typer

from bench.machine import watched
from local.aws import aws_client, create_resources
from local.environment import function_environment
from local.event_source_mapping.mapping import Batching, EventSourceMapping
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import DISPATCHER, deployed
from local.ports import free_port
from local.schedules import Schedule
from local.servers.mariadb import MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from scheduler.database.connection import connect
from scheduler.database.migrate import migrate
from scheduler.messaging import topology
from scheduler.messaging.declaration import declare
from scheduler.settings import DatabaseSettings
from tests.support.provider import CONNECTIONS, EMAIL, Provider, Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pymysql.cursors import Cursor

    from local.servers.server import Server

_HEALTHY_SECONDS: Final = 20.0
_TIMEOUT: Final = 900
_QUEUE: Final = "scheduler.user-suspended"

_USERS: Final = "INSERT INTO users (id, max_devices, email) VALUES (%s, 1, %s)"
_DEVICES: Final = "INSERT INTO devices (id, name, status) VALUES (%s, %s, 'allocated')"
_ALLOCATIONS: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES (UUID(), %s, %s, 'ALLOCATED', NOW(6) - INTERVAL 1 MINUTE, NOW(6) + INTERVAL 1 HOUR)
"""
_EMAILS: Final = """
    SELECT status, COUNT(*), MAX(attempts) FROM notification_deliveries
    WHERE channel = 'email' GROUP BY status
"""


class OutageMode(StrEnum):
    """How SES fails."""

    HANG = "hang"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class OutageTestbed:
    """The running servers and functions."""

    cursor: Cursor
    amqp: str
    provider: Provider
    dynamodb: Any


def main(
    down: Annotated[float, typer.Option(help="Duration of the outage in seconds.")] = 300,
    rate: Annotated[float, typer.Option(help="Events per second.")] = 5,
    how: Annotated[OutageMode, typer.Option(help="How SES fails.")] = OutageMode.HANG,
) -> None:
    """Measure push latency with and without SES, and when the e-mails are sent."""
    with watched(), _testbed() as testbed:
        _publish(testbed, "warm-up", 2, rate)
        _print_latency(
            "SES works", _latencies(testbed, _publish(testbed, "healthy", _HEALTHY_SECONDS, rate))
        )
        if how is OutageMode.HANG:
            testbed.provider.hang(EMAIL)
        else:
            testbed.provider.refuse(EMAIL, Refusal(503, "ServiceUnavailable"))
        without = _publish(testbed, "down", down, rate)
        _print_latency(f"SES {how}s for {down:g} s", _latencies(testbed, without))
        print(f"  e-mails during the outage: {_emails(testbed)}")
        testbed.provider.refuse(EMAIL, None)
        testbed.provider.release()
        _await_emails(testbed)


def _publish(testbed: OutageTestbed, name: str, seconds: float, rate: float) -> dict[str, float]:
    """Publish at a steady rate and return the time of each user's event."""
    users = [f"{name}-{number}" for number in range(round(seconds * rate))]
    _prepare(testbed, users)
    published: dict[str, float] = {}
    with closing(pika.BlockingConnection(pika.URLParameters(testbed.amqp))) as connection:
        channel = connection.channel()
        started = time.monotonic()
        for number, user in enumerate(users):
            connection.sleep(max(0.0, started + number / rate - time.monotonic()))
            at = datetime.now(UTC).isoformat()
            body = json.dumps({"userId": user, "reason": "terms", "timestamp": at}).encode()
            published[user] = time.time()
            channel.basic_publish(topology.EVENTS_EXCHANGE, "user.suspended", body)
    return published


def _prepare(testbed: OutageTestbed, users: list[str]) -> None:
    testbed.cursor.executemany(_USERS, [(user, f"{user}@example.com") for user in users])
    testbed.cursor.executemany(_DEVICES, [(user, user) for user in users])
    for user in users:
        testbed.cursor.execute(_ALLOCATIONS, (user, user))
        item = {"connection_id": {"S": user}, "user_id": {"S": user}}
        expiry = {"expires_at": {"N": "4000000000"}}
        testbed.dynamodb.put_item(TableName="realtime-connections", Item={**item, **expiry})


def _latencies(testbed: OutageTestbed, published: Mapping[str, float]) -> list[float]:
    """Return the seconds from each user's event to the frame about the device."""
    deadline = time.monotonic() + _TIMEOUT
    while True:
        arrived: dict[str, float] = {}
        for one in testbed.provider.requests(CONNECTIONS):
            if one.body["type"] == "device_released":
                arrived.setdefault(one.path.removeprefix(CONNECTIONS), one.at)
        if arrived.keys() >= published.keys() or time.monotonic() > deadline:
            return [arrived[user] - at for user, at in published.items() if user in arrived]
        time.sleep(0.2)


def _print_latency(what: str, seconds: list[float]) -> None:
    cuts = quantiles(seconds, n=100, method="inclusive")
    p50, p99 = (round(1000 * cuts[n]) for n in (49, 98))
    print(f"{what}: {len(seconds)} frames, publish to frame p50 {p50} ms, p99 {p99} ms")


def _emails(testbed: OutageTestbed) -> str:
    testbed.cursor.execute(_EMAILS)
    rows = testbed.cursor.fetchall()
    return ", ".join(f"{count} {status} (attempts ≤ {most})" for status, count, most in rows)


def _await_emails(testbed: OutageTestbed) -> None:
    started = time.monotonic()
    while "pending" in _emails(testbed) and time.monotonic() < started + _TIMEOUT:
        time.sleep(0.5)
    print(f"{time.monotonic() - started:.0f} s after SES is back: {_emails(testbed)}")


@contextmanager
def _testbed() -> Iterator[OutageTestbed]:
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-bench-"))
    folder.chmod(0o711)  # the servers run under accounts of their own
    logs = folder / "logs"
    logs.mkdir()
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        ports = RabbitPorts(free_port(), free_port(), free_port(), free_port())
        broker = RabbitMQ(folder / "rabbitmq", logs, ports)
        database = MariaDB(folder / "mariadb", logs, free_port())
        aws = Moto(folder / "moto", logs, free_port())
        servers: tuple[Server, ...] = (broker, database, aws)
        for server in servers:
            stack.callback(server.kill)
            server.start()
        settings = DatabaseSettings.model_validate({"DATABASE_URL": database.url})
        migrate(settings)
        create_resources(aws.url)
        with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
            declare(connection.channel())
        provider = stack.enter_context(Provider())
        environment = {
            **function_environment(database.url, broker.url, aws.url),
            "WEBSOCKET_ENDPOINT": provider.url,
            "AWS_ENDPOINT_URL_SESV2": provider.url,
        }
        _run_functions(stack, broker.url, environment, logs)
        connection_to_database = stack.enter_context(closing(connect(settings)))
        cursor = connection_to_database.cursor()
        cursor.execute("SET autocommit = 1")
        yield OutageTestbed(cursor, broker.url, provider, aws_client("dynamodb", aws.url))


def _run_functions(
    stack: ExitStack, broker_url: str, environment: Mapping[str, str], logs: Path
) -> None:
    for queue, name, window in (
        (_QUEUE, "user-events", 0.05),
        (topology.NOTIFICATION_QUEUE, DISPATCHER, 0.0),
    ):
        function = LambdaEnvironment(deployed(name, environment, logs), queue)
        mapping = EventSourceMapping(broker_url, queue, function, Batching(window=window))
        mapping.start()
        stack.callback(mapping.stop)
    every_minute = LambdaEnvironment(deployed(DISPATCHER, environment, logs), "schedule")
    schedule = Schedule(every_minute, "every-minute")
    schedule.start()
    stack.callback(schedule.stop)


if __name__ == "__main__":
    typer.run(main)
