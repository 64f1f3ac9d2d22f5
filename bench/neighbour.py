"""Measures how fast users receive frames while another user floods their own inbox.

    python -m bench.neighbour [--sockets 15] [--rate 100] [--seconds 20]

Starts the local platform in a temporary folder. The loud user has ``--sockets`` WebSockets, as far
as allowed, and allocates and releases three devices in a loop, with the code of the API but without
its limits; each change is a notification. Five quiet users have a WebSocket each and get two
notifications a second each. Exits with 1 if the target is missed.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack, closing
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from bench.local_platform import running_platform, websocket_address
from bench.machine import watched
from bench.notifications import DueNotification, insert
from scheduler.allocation.allocate import AllocationRequest, Allocator
from scheduler.allocation.leases import Leases
from scheduler.database.connection import Database
from scheduler.database.connection import connect as connect_database
from scheduler.domain.model import Quota
from scheduler.domain.notices import Channel
from scheduler.domain.quota import Requirements
from scheduler.messaging.nudge import Nudge
from scheduler.messaging.publisher import Publisher
from scheduler.settings import AllocationStrategy, BrokerSettings, DatabaseSettings
from scheduler.unit_of_work import UnitsOfWork

if TYPE_CHECKING:
    from local.paths import StateDir

TARGET_MS: Final = 500
"""For the p99 of the quiet users."""

_QUIET: Final = tuple(f"quiet-{number}" for number in range(5))
_LOUD: Final = "loud"
_QUIET_RATE: Final = 2
_DEVICES: Final = 3
_TIMEOUT: Final = 60

_USERS: Final = "INSERT INTO users (id, max_devices) VALUES (%s, 10)"
_DEVICE: Final = "INSERT INTO devices (id, name) VALUES (%s, %s)"


@dataclass(slots=True)
class FloodRun:
    """When each notification of a quiet user was committed and its frame arrived (Unix time)."""

    committed: dict[str, float] = field(default_factory=dict)
    arrived: dict[str, float] = field(default_factory=dict)


def main(
    sockets: Annotated[int, typer.Option(help="WebSockets of the loud user.")] = 15,
    rate: Annotated[float, typer.Option(help="Changes by the loud user a second.")] = 100,
    seconds: Annotated[float, typer.Option(help="Duration of each measurement.")] = 20,
) -> None:
    """Measure the quiet users' latency without and with the flood."""
    with watched(), running_platform(window=0.05) as state:
        met = asyncio.run(_measure(state, sockets, rate, seconds))
    raise typer.Exit(not met)


async def _measure(state: StateDir, sockets: int, rate: float, seconds: float) -> bool:
    """Return whether the target is met under the flood."""
    endpoints = json.loads(state.endpoints.read_text("utf-8"))
    _fill(endpoints)
    met = False
    async with AsyncExitStack() as stack:
        run = FloodRun()
        for user in _QUIET:
            await _listen(stack, state, endpoints, user, run)
        opened = 0
        for _ in range(sockets):
            try:
                await _listen(stack, state, endpoints, _LOUD, FloodRun())
            except InvalidStatus:
                break
            opened += 1
        for name, flood in (("warm-up", 0.0), ("alone", 0.0), ("under the flood", rate)):
            await _publish(endpoints, run, flood, seconds)
            met = _print(f"{name} ({opened} of {sockets} sockets)", run)
            run.committed.clear()
            run.arrived.clear()
    return met


async def _listen(
    stack: AsyncExitStack, state: StateDir, endpoints: dict[str, Any], user: str, run: FloodRun
) -> None:
    url = await websocket_address(state, endpoints, user)
    socket = await stack.enter_async_context(connect(url, compression=None, max_queue=None))

    async def receive() -> None:
        async for text in socket:
            run.arrived.setdefault(json.loads(text)["id"], time.time())

    stack.callback(asyncio.create_task(receive()).cancel)


async def _publish(endpoints: dict[str, Any], run: FloodRun, flood: float, seconds: float) -> None:
    await asyncio.gather(
        asyncio.to_thread(_write, endpoints, run, seconds),
        asyncio.to_thread(_flood, endpoints, flood, seconds),
    )
    deadline = time.monotonic() + _TIMEOUT
    while not run.arrived.keys() >= run.committed.keys() and time.monotonic() < deadline:  # noqa: ASYNC110 - frames arrive meanwhile
        await asyncio.sleep(0.05)


def _write(endpoints: dict[str, Any], run: FloodRun, seconds: float) -> None:
    """Notify the quiet users at fixed times, and nudge as the API does after each change."""
    settings, broker = _settings(endpoints)
    rate = _QUIET_RATE * len(_QUIET)
    with closing(Publisher(broker)) as publisher, closing(connect_database(settings)) as database:
        nudge, started = Nudge(publisher), time.monotonic()
        for number in range(round(seconds * rate)):
            time.sleep(max(0.0, started + number / rate - time.monotonic()))
            user = _QUIET[number % len(_QUIET)]
            new = DueNotification(user, f"d{number % _DEVICES}", (Channel.WEBSOCKET,))
            with database.cursor() as cursor:
                (id_,) = insert(cursor, [new])
            database.commit()
            run.committed[id_] = time.time()
            nudge.send()


def _flood(endpoints: dict[str, Any], rate: float, seconds: float) -> None:
    """Allocate and release in turn, at a rate of changes a second."""
    settings, broker = _settings(endpoints)
    request = AllocationRequest(_LOUD, 60, Requirements())
    with closing(Publisher(broker)) as publisher, closing(Database(settings)) as database:
        units = UnitsOfWork(database, Quota(_DEVICES), Nudge(publisher).send)
        allocator, leases = Allocator(units, AllocationStrategy.ROUND_ROBIN), Leases(units, 60)
        started = time.monotonic()
        for number in range(round(seconds * rate / 2)):
            time.sleep(max(0.0, started + 2 * number / rate - time.monotonic()))
            allocation = allocator.allocate(request, _LOUD)
            leases.release([allocation], _LOUD)


def _settings(endpoints: dict[str, Any]) -> tuple[DatabaseSettings, BrokerSettings]:
    return (
        DatabaseSettings.model_validate({"DATABASE_URL": endpoints["database"]}),
        BrokerSettings.model_validate({"BROKER_URL": endpoints["amqp"]}),
    )


def _fill(endpoints: dict[str, Any]) -> None:
    """Insert the users, and the devices for which the loud user asks."""
    settings, _ = _settings(endpoints)
    with closing(connect_database(settings)) as database, database.cursor() as cursor:
        cursor.executemany(_USERS, [(user,) for user in (*_QUIET, _LOUD)])
        cursor.executemany(
            _DEVICE, [(f"d{number}", f"Device {number}") for number in range(_DEVICES)]
        )
        database.commit()


def _print(name: str, run: FloodRun) -> bool:
    """Print the latency; return whether the target is met and every frame arrived."""
    waits = [run.arrived[id_] - at for id_, at in run.committed.items() if id_ in run.arrived]
    lost = len(run.committed) - len(waits)
    cuts = quantiles(waits, n=100, method="inclusive")
    p50, p99 = (round(1000 * cuts[place]) for place in (49, 98))
    print(
        f"{name}: {len(waits)} frames of quiet users, p50 {p50} ms, p99 {p99} ms"
        f" (target {TARGET_MS}), {lost} not within {_TIMEOUT} s"
    )
    return p99 <= TARGET_MS and not lost


if __name__ == "__main__":
    typer.run(main)
