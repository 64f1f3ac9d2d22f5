"""What an outage of SES does to everybody else: nothing, and the e-mails come afterwards.

    python -m bench.ses_outage [--down 300] [--rate 5] [--how hang|refuse]

Real broker, database and functions behind event source mappings; SES and the WebSocket API are
played by a server that hangs or refuses as told. ``user.suspended`` is published at a steady rate:
each takes back a device, which is pushed, and is told by e-mail.
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

import boto3
import pika
import typer

from local.aws import create_resources
from local.environment import aws_environment, function_environment
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

FINE_SECONDS: Final = 20.0
PATIENCE: Final = 900
QUEUE: Final = "scheduler.user-suspended"

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


class How(StrEnum):
    """The way SES is away."""

    HANG = "hang"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything that runs."""

    cursor: Cursor
    amqp: str
    provider: Provider
    dynamodb: Any


def main(
    down: Annotated[float, typer.Option(help="Seconds for which SES is away.")] = 300,
    rate: Annotated[float, typer.Option(help="Events per second.")] = 5,
    how: Annotated[How, typer.Option(help="The way it is away.")] = How.HANG,
) -> None:
    """Measure push latency with SES and without, and when the e-mails have come."""
    with _stage() as stage:
        _publish(stage, "warm-up", 2, rate)
        _tell("SES works", _latencies(stage, _publish(stage, "fine", FINE_SECONDS, rate)))
        if how is How.HANG:
            stage.provider.hang(EMAIL)
        else:
            stage.provider.refuse(EMAIL, Refusal(503, "ServiceUnavailable"))
        without = _publish(stage, "down", down, rate)
        _tell(f"SES {how}s for {down:g} s", _latencies(stage, without))
        print(f"  e-mails meanwhile: {_emails(stage)}")
        stage.provider.refuse(EMAIL, None)
        stage.provider.release()
        _await_emails(stage)


def _publish(stage: Stage, name: str, seconds: float, rate: float) -> dict[str, float]:
    """Publish at a steady rate; return when each user's event was published."""
    users = [f"{name}-{number}" for number in range(round(seconds * rate))]
    _prepare(stage, users)
    published: dict[str, float] = {}
    with closing(pika.BlockingConnection(pika.URLParameters(stage.amqp))) as connection:
        channel = connection.channel()
        started = time.monotonic()
        for number, user in enumerate(users):
            connection.sleep(max(0.0, started + number / rate - time.monotonic()))
            at = datetime.now(UTC).isoformat()
            body = json.dumps({"userId": user, "reason": "terms", "timestamp": at}).encode()
            published[user] = time.time()
            channel.basic_publish(topology.EVENTS_EXCHANGE, "user.suspended", body)
    return published


def _prepare(stage: Stage, users: list[str]) -> None:
    stage.cursor.executemany(_USERS, [(user, f"{user}@example.com") for user in users])
    stage.cursor.executemany(_DEVICES, [(user, user) for user in users])
    for user in users:
        stage.cursor.execute(_ALLOCATIONS, (user, user))
        item = {"connection_id": {"S": user}, "user_id": {"S": user}}
        expiry = {"expires_at": {"N": "4000000000"}}
        stage.dynamodb.put_item(TableName="realtime-connections", Item={**item, **expiry})


def _latencies(stage: Stage, published: Mapping[str, float]) -> list[float]:
    """Return for each user the seconds until the frame about his device."""
    deadline = time.monotonic() + PATIENCE
    while True:
        arrived: dict[str, float] = {}
        for one in stage.provider.requests(CONNECTIONS):
            if one.body["type"] == "device_released":
                arrived.setdefault(one.path.removeprefix(CONNECTIONS), one.at)
        if arrived.keys() >= published.keys() or time.monotonic() > deadline:
            return [arrived[user] - at for user, at in published.items() if user in arrived]
        time.sleep(0.2)


def _tell(what: str, seconds: list[float]) -> None:
    cuts = quantiles(seconds, n=100, method="inclusive")
    p50, p99 = (round(1000 * cuts[n]) for n in (49, 98))
    print(f"{what}: {len(seconds)} frames, publish to frame p50 {p50} ms, p99 {p99} ms")


def _emails(stage: Stage) -> str:
    stage.cursor.execute(_EMAILS)
    rows = stage.cursor.fetchall()
    return ", ".join(f"{count} {status} (attempts ≤ {most})" for status, count, most in rows)


def _await_emails(stage: Stage) -> None:
    started = time.monotonic()
    while "pending" in _emails(stage) and time.monotonic() < started + PATIENCE:
        time.sleep(0.5)
    print(f"{time.monotonic() - started:.0f} s after SES is back: {_emails(stage)}")


@contextmanager
def _stage() -> Iterator[Stage]:
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-bench-"))
    folder.chmod(0o711)  # the servers have accounts of their own
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
        yield Stage(cursor, broker.url, provider, _dynamodb(aws.url))


def _run_functions(
    stack: ExitStack, broker_url: str, environment: Mapping[str, str], logs: Path
) -> None:
    for queue, name, window in (
        (QUEUE, "user-events", 0.05),
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


def _dynamodb(aws_url: str) -> Any:  # noqa: ANN401 - used by two calls
    environment = aws_environment(aws_url)
    return boto3.client(
        "dynamodb",
        endpoint_url=aws_url,
        region_name=environment["AWS_REGION"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
    )


if __name__ == "__main__":
    typer.run(main)
