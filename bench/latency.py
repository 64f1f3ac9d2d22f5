"""Measures the latency from publishing ``device.failed`` to the frame on the user's WebSocket.

    python -m bench.latency [--rates 1,100] [--seconds 20] [--window 0.05]

Starts the local platform in a temporary folder: a real broker, database and function processes.
Events are published at fixed times, whether or not earlier frames have arrived.
"""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import pika
import typer
from websockets.asyncio.client import connect

from bench.latency_report import Latencies, LatencyFigures, report
from bench.local_platform import cpu_seconds, running_platform, websocket_address
from bench.machine import watched
from scheduler.database.connection import connect as connect_database
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from bench.machine import Machine
    from local.paths import StateDir

USERS: Final = 20
_TIMEOUT: Final = 60
"""Seconds until the last frame must have arrived."""

_USERS: Final = "INSERT INTO users (id, max_devices) VALUES (%s, %s)"
_DEVICES: Final = """
    INSERT INTO devices (id, name, status, cpu_cores, memory_mb) VALUES (%s, %s, %s, %s, %s)
"""
_ALLOCATIONS: Final = """
    INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)
    VALUES (%s, %s, %s, 'ALLOCATED', NOW(6) - INTERVAL 1 MINUTE, NOW(6) + INTERVAL 1 HOUR)
"""
_STAGES: Final = """
    SELECT JSON_VALUE(n.data, '$.deviceId'), n.created_at, d.sent_at FROM notifications n
    JOIN notification_deliveries d ON d.notification_id = n.id AND d.channel = 'websocket'
    WHERE n.type = 'device_released'
"""


@dataclass(slots=True)
class LatencyRun:
    """When each device's event was published and its frame arrived (Unix time), at one rate."""

    devices: list[str]
    published: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)
    all_arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def record(self, frame: dict[str, Any]) -> None:
        """Record the arrival of the first frame for a device."""
        self.arrived.setdefault(frame["data"].get("deviceId", ""), time.time())
        if self.arrived.keys() >= set(self.devices):
            self.all_arrived.set()


def main(
    rates: Annotated[str, typer.Option(help="Events per second.")] = "1,100",
    seconds: Annotated[float, typer.Option(help="Duration of each rate.")] = 20,
    window: Annotated[float, typer.Option(help="Batching window in seconds.")] = 0.05,
) -> None:
    """Measure each rate and print p50 and p99."""
    with watched() as machine, running_platform(window) as state:
        each = [float(rate) for rate in rates.split(",")]
        asyncio.run(_measure(state, each, seconds, window, machine))


async def _measure(
    state: StateDir, rates: list[float], seconds: float, window: float, machine: Machine
) -> None:
    endpoints = json.loads(state.endpoints.read_text("utf-8"))
    await _run(state, endpoints, "warm-up", 20, 40)
    for rate in rates:
        count = max(20, round(rate * seconds))
        before = cpu_seconds(state)
        run = await _run(state, endpoints, f"{rate:g}", rate, count)
        spent = {name: now - before.get(name, 0) for name, now in cpu_seconds(state).items()}
        report(LatencyFigures(rate, window, _latencies(endpoints, run), spent, machine))


async def _run(
    state: StateDir, endpoints: dict[str, Any], name: str, rate: float, count: int
) -> LatencyRun:
    run = LatencyRun(_prepare(endpoints, name, count))
    async with AsyncExitStack() as stack:
        for number in range(USERS):
            url = await websocket_address(state, endpoints, f"{name}-user-{number}")
            socket = await stack.enter_async_context(connect(url, compression=None))
            listener = asyncio.create_task(_listen(socket, run))
            stack.callback(listener.cancel)
        with ThreadPoolExecutor(1) as publisher:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(publisher, _publish, endpoints["amqp"], run, rate)
        async with asyncio.timeout(_TIMEOUT):
            await run.all_arrived.wait()
    return run


def _prepare(endpoints: dict[str, Any], name: str, count: int) -> list[str]:
    """Allocate each device to a user and return the devices."""
    settings = DatabaseSettings.model_validate({"DATABASE_URL": endpoints["database"]})
    users = [f"{name}-user-{number}" for number in range(USERS)]
    devices = [f"{name}-device-{number}" for number in range(count)]
    with closing(connect_database(settings)) as connection, connection.cursor() as cursor:
        cursor.executemany(_USERS, [(user, count) for user in users])
        cursor.executemany(_DEVICES, [(one, one, "allocated", 4, 8192) for one in devices])
        held = [(str(uuid.uuid4()), users[n % USERS], one) for n, one in enumerate(devices)]
        cursor.executemany(_ALLOCATIONS, held)
        connection.commit()
    return devices


async def _listen(socket: Any, run: LatencyRun) -> None:  # noqa: ANN401 - any client of websockets
    async for text in socket:
        run.record(json.loads(text))


def _publish(amqp: str, run: LatencyRun, rate: float) -> None:
    with closing(pika.BlockingConnection(pika.URLParameters(amqp))) as connection:
        channel = connection.channel()
        started = time.monotonic()
        for number, device in enumerate(run.devices):
            connection.sleep(max(0.0, started + number / rate - time.monotonic()))
            body = {
                "deviceId": device,
                "reason": "Docker container crashed",
                "timestamp": datetime.now(UTC).isoformat(),
            }
            properties = pika.BasicProperties(delivery_mode=2, message_id=str(uuid.uuid4()))
            run.published[device] = time.time()
            channel.basic_publish(
                EVENTS_EXCHANGE, "device.failed", json.dumps(body).encode(), properties
            )


def _latencies(endpoints: dict[str, Any], run: LatencyRun) -> Latencies:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": endpoints["database"]})
    with closing(connect_database(settings)) as connection, connection.cursor() as cursor:
        cursor.execute(_STAGES)
        begun = {device: at.timestamp() for device, at, _ in cursor.fetchall()}
    return Latencies(
        to_frame=[run.arrived[one] - run.published[one] for one in run.devices],
        to_transaction=[begun[one] - run.published[one] for one in run.devices],
        from_transaction=[run.arrived[one] - begun[one] for one in run.devices],
    )


if __name__ == "__main__":
    typer.run(main)
