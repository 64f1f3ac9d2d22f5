"""Measures how fast due deliveries are sent: real sockets, embedded SES and SNS, durable database.

    python -m bench.dispatch [--deliveries 10000] [--users 100] [--devices 10]

Starts the local platform in a temporary folder, connects a WebSocket for each user, writes the
deliveries of ``billing.overdue`` events (a frame for each device, then a frame, an e-mail and an
SMS) and nudges the deployed dispatcher once.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, closing
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from websockets.asyncio.client import connect

from bench.local_platform import cpu_seconds, running_platform, websocket_address
from bench.machine import watched
from bench.notifications import DueNotification, insert
from scheduler.database.connection import connect as connect_database
from scheduler.domain.notices import Channel
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher
from scheduler.settings import BrokerSettings, DatabaseSettings

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from local.paths import StateDir

_TIMEOUT: Final = 300
"""Seconds for all deliveries."""

_USERS: Final = "INSERT INTO users (id, max_devices, email, phone) VALUES (%s, 10, %s, %s)"
_PENDING: Final = "SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'"
_ENDS: Final = """
    SELECT channel, status, COUNT(*), MIN(sent_at), MAX(sent_at) FROM notification_deliveries
    GROUP BY channel, status
"""
_STATEMENTS: Final = "SHOW GLOBAL STATUS LIKE 'Questions'"


def main(
    deliveries: Annotated[int, typer.Option(help="Number of due deliveries.")] = 10_000,
    users: Annotated[int, typer.Option(help="Number of recipients, each with a WebSocket.")] = 100,
    devices: Annotated[int, typer.Option(help="Devices that one event releases.")] = 10,
) -> None:
    """Dispatch the deliveries and print the time and the cost."""
    with watched(), running_platform(window=0.05) as state:
        endpoints = json.loads(state.endpoints.read_text("utf-8"))
        asyncio.run(_measure(state, endpoints, deliveries, users, devices))


async def _measure(
    state: StateDir, endpoints: dict[str, Any], deliveries: int, users: int, devices: int
) -> None:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": endpoints["database"]})
    async with AsyncExitStack() as stack:
        with closing(connect_database(settings)) as connection, connection.cursor() as cursor:
            cursor.execute("SET autocommit = 1")
            _write_users(cursor, users)
            for number in range(users):
                url = await websocket_address(state, endpoints, f"user-{number}")
                await stack.enter_async_context(connect(url, compression=None, max_queue=None))
            _write_deliveries(cursor, deliveries, users, devices)
            before, spent = _statements(cursor), cpu_seconds(state)
            seconds = await _dispatch(cursor, endpoints["amqp"])
            statements = _statements(cursor) - before
            costs = {name: now - spent.get(name, 0) for name, now in cpu_seconds(state).items()}
            cursor.execute(_ENDS)
            ends = cursor.fetchall()
    for channel, status, count, *_ in ends:
        print(f"{channel:<10} {status:<8} {count:6}")
    deliveries = sum(count for _, _, count, *_ in ends)
    print(f"{deliveries} deliveries in {seconds:.1f} s: {deliveries / seconds:.0f}/s")
    print(f"{statements / deliveries * 100:.0f} SQL statements per hundred (commits included)")
    for name, used in sorted(costs.items(), key=lambda item: -item[1]):
        print(f"  CPU of {name:<33} {1000 * used / deliveries:6.2f} ms per delivery")


def _write_users(cursor: Cursor, users: int) -> None:
    contacts = [(f"user-{n}", f"user-{n}@example.com", f"+86138{n:08}") for n in range(users)]
    cursor.executemany(_USERS, contacts)


def _write_deliveries(cursor: Cursor, count: int, users: int, devices: int) -> None:
    channels = [(Channel.WEBSOCKET,)] * devices + [tuple(Channel)]
    insert(
        cursor,
        (
            DueNotification(f"user-{number % users}", f"{number}-{device}", each)
            for number in range(count // (devices + 3))
            for device, each in enumerate(channels)
        ),
    )


async def _dispatch(cursor: Cursor, amqp: str) -> float:
    """Nudge the dispatcher and return the seconds until no delivery is pending."""
    with closing(Publisher(BrokerSettings.model_validate({"BROKER_URL": amqp}))) as publisher:
        started = time.perf_counter()
        Nudge(publisher).send()
    while _pending(cursor) and time.perf_counter() < started + _TIMEOUT:  # noqa: ASYNC110 - the database sends no signal
        await asyncio.sleep(0.2)
    return time.perf_counter() - started


def _pending(cursor: Cursor) -> int:
    cursor.execute(_PENDING)
    return int(cursor.fetchall()[0][0])


def _statements(cursor: Cursor) -> int:
    cursor.execute(_STATEMENTS)
    return int(cursor.fetchall()[0][1])


if __name__ == "__main__":
    typer.run(main)
