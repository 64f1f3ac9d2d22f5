"""How long it takes from publishing ``device.failed`` to the frame on its user's WebSocket.

    python -m bench.latency [--rates 1,100] [--seconds 20] [--window 0.05]

Starts the local platform in a folder of its own: the real broker, database and function processes.
Events are published at fixed times, whether the ones before have arrived or not.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final

import httpx
import pika
import typer
from websockets.asyncio.client import connect

from bench import cpu
from bench.platform import running_platform
from bench.report import Latencies, Measured, report
from local.gateway.tokens import TokenIssuer
from scheduler.database.connection import connect as connect_database
from scheduler.messaging.topology import EVENTS_EXCHANGE
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from local.paths import StateDir

USERS: Final = 20
PATIENCE: Final = 60
"""Seconds for the last frame to come."""

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
class Run:
    """One rate: when each device's event was published and its frame came (Unix time)."""

    devices: list[str]
    published: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)
    all_arrived: asyncio.Event = field(default_factory=asyncio.Event)

    def note(self, frame: dict[str, Any]) -> None:
        """Note when a frame came, if it is the first for its device."""
        self.arrived.setdefault(frame["data"].get("deviceId", ""), time.time())
        if self.arrived.keys() >= set(self.devices):
            self.all_arrived.set()


def main(
    rates: Annotated[str, typer.Option(help="Events per second.")] = "1,100",
    seconds: Annotated[float, typer.Option(help="How long each rate is kept up.")] = 20,
    window: Annotated[float, typer.Option(help="Seconds for which mappings collect.")] = 0.05,
) -> None:
    """Measure each rate and print p50 and p99."""
    with running_platform(window) as state:
        asyncio.run(_measure(state, [float(rate) for rate in rates.split(",")], seconds, window))


async def _measure(state: StateDir, rates: list[float], seconds: float, window: float) -> None:
    endpoints = json.loads(state.endpoints.read_text("utf-8"))
    await _run(state, endpoints, "warm-up", 20, 40)
    for rate in rates:
        count = max(20, round(rate * seconds))
        before = cpu.used(state)
        run = await _run(state, endpoints, f"{rate:g}", rate, count)
        spent = {name: now - before.get(name, 0) for name, now in cpu.used(state).items()}
        report(Measured(rate, window, _latencies(endpoints, run), spent, os.getloadavg()[0]))


async def _run(
    state: StateDir, endpoints: dict[str, Any], name: str, rate: float, count: int
) -> Run:
    run = Run(_prepare(endpoints, name, count))
    async with AsyncExitStack() as stack:
        for number in range(USERS):
            url = await _address(state, endpoints, f"{name}-user-{number}")
            socket = await stack.enter_async_context(connect(url, compression=None))
            listener = asyncio.create_task(_listen(socket, run))
            stack.callback(listener.cancel)
        with ThreadPoolExecutor(1) as publisher:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(publisher, _publish, endpoints["amqp"], run, rate)
        async with asyncio.timeout(PATIENCE):
            await run.all_arrived.wait()
    return run


def _prepare(endpoints: dict[str, Any], name: str, count: int) -> list[str]:
    """Give each device to a user; return the devices."""
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


async def _address(state: StateDir, endpoints: dict[str, Any], user: str) -> str:
    token = TokenIssuer.of(state.path).issue_token(user)
    async with httpx.AsyncClient(base_url=endpoints["api"], timeout=PATIENCE) as api:
        headers = {"Authorization": f"Bearer {token}"}
        answer = (await api.post("/api/realtime/ticket", headers=headers)).raise_for_status()
    return f"{endpoints['websocket']}/?ticket={answer.json()['ticket']}"


async def _listen(socket: Any, run: Run) -> None:  # noqa: ANN401 - either of websockets' clients
    async for text in socket:
        run.note(json.loads(text))


def _publish(amqp: str, run: Run, rate: float) -> None:
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


def _latencies(endpoints: dict[str, Any], run: Run) -> Latencies:
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
