"""Measures how long one user's requests take while another user floods the API.

    python -m bench.floods [--rounds 5] [--seconds 5] [--rate 150]

Starts the local platform in a temporary folder, with 1,000 devices. A user of the front end sends
ten requests a second. They are measured alone and under each flood in turns, because the machine
may be busy. A flood has ``--rate`` requests a second, of which at most 20 are in flight: API
Gateway lets 200 a second through. The flooding user ignores 429 and Retry-After.

Without the limits: CALLER_RATE_LIMIT=10000 CALLER_BURST_LIMIT=100000 HEALTH_RATE_LIMIT=10000.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from statistics import median, quantiles
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import httpx
import typer

from bench.local_platform import running_platform
from bench.machine import watched
from local.gateway.tokens import TokenIssuer
from scheduler.database.connection import connect
from scheduler.settings import DatabaseSettings

if TYPE_CHECKING:
    from collections.abc import Callable

TARGET: Final = 3.0
"""For the victim's p95, as a multiple of its p95 without a flood."""

_VICTIM: Final = "victim"
_FLOODER: Final = "flooder"
_VICTIM_RATE: Final = 10
_IN_FLIGHT: Final = 20
_TIMEOUT: Final = 60
_VISITED: Final = (
    "/api/devices?limit=10",
    f"/api/allocations/user/{_VICTIM}",
    f"/api/users/{_VICTIM}/notifications",
)
_DEVICES: Final = """
    INSERT INTO devices (id, name, cpu_cores, memory_mb)
    SELECT CONCAT('device-', seq), 'x', 1 + seq % 8, 1024 * (1 + seq % 16) FROM seq_1_to_1000
"""
_USERS: Final = "INSERT INTO users (id, max_devices) VALUES (%s, 10)"


class Flood(NamedTuple):
    """Requests of a kind; with ``cancels``, what a request has queued is cancelled."""

    method: str
    path: str
    body: bytes | None = None
    with_token: bool = True
    cancels: bool = False


def _json(body: object) -> bytes:
    return json.dumps(body).encode()


_IMPOSSIBLE: Final = [{"userId": _FLOODER, "minCpuCores": 1000 + n} for n in range(10)]
FLOODS: Final = {
    "batches of 10 unsatisfiable requests": Flood(
        "POST", "/api/allocations/batch", _json({"requests": _IMPOSSIBLE})
    ),
    "health checks": Flood("GET", "/api/health", with_token=False),
    "invalid bodies of 100 KB": Flood("POST", "/api/allocations", b"[" * 100_000),
    "queue and cancel": Flood(
        "POST",
        "/api/allocations",
        _json({"userId": _FLOODER, "minCpuCores": 1000, "wait": True}),
        cancels=True,
    ),
    "tickets for the WebSocket": Flood("POST", "/api/realtime/ticket"),
}


def main(
    rounds: Annotated[int, typer.Option(help="Measurements of each kind.")] = 5,
    seconds: Annotated[float, typer.Option(help="Duration of each measurement.")] = 5,
    rate: Annotated[float, typer.Option(help="Requests of the flood a second.")] = 150,
) -> None:
    """Measure and print; the exit status is 1 if the target is missed."""
    with watched(), running_platform(window=1.0) as state:
        endpoints = json.loads(state.endpoints.read_text("utf-8"))
        _fill(endpoints["database"])
        issuer, api = TokenIssuer.of(state.path), endpoints["api"]
        victim, flooder = (issuer.issue_token(user) for user in (_VICTIM, _FLOODER))
        asyncio.run(_warm(api, issuer.issue_token("warm")))
        missed = False
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
            for name in FLOODS:
                alone: list[float] = []
                flooded: list[float] = []
                statuses: Counter[int] = Counter()
                for _ in range(rounds):
                    alone += asyncio.run(_visit(api, victim, seconds))
                    flooding = other.submit(run_flood, name, api, flooder, rate, seconds + 0.5)
                    flooded += asyncio.run(_visit(api, victim, seconds))
                    statuses += Counter(flooding.result())
                _print(name, alone, flooded, statuses)
                missed |= _p95(flooded) > TARGET * _p95(alone)
    raise typer.Exit(missed)


def run_flood(name: str, api: str, token: str, rate: float, seconds: float) -> dict[int, int]:
    """Send a flood, and return how often each status came; 0 stands for requests not sent."""
    return asyncio.run(_flood(FLOODS[name], api, token, rate, seconds))


def _fill(database_url: str) -> None:
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    with closing(connect(settings)) as database, database.cursor() as cursor:
        cursor.execute(_DEVICES)
        cursor.executemany(_USERS, [(user,) for user in (_VICTIM, _FLOODER)])
        database.commit()


async def _warm(api: str, token: str) -> None:
    """Let every environment start, import what only some routes need, and connect."""
    async with _client(api, token) as client:
        for path in (*["/api/realtime/ticket"] * 3, *["/api/allocations"] * 3):
            await asyncio.gather(*(client.post(path, json={"userId": "warm"}) for _ in range(10)))


async def _visit(api: str, token: str, seconds: float) -> list[float]:
    """Send the victim's requests at fixed times, and return how long each took (s)."""
    spent: list[float] = []

    async with _client(api, token) as client:

        async def ask(number: int) -> None:
            started = time.perf_counter()
            response = await client.get(_VISITED[number % len(_VISITED)])
            spent.append(time.perf_counter() - started)
            response.raise_for_status()

        await _at_fixed_times(_VICTIM_RATE, seconds, ask)
    return spent


async def _flood(flood: Flood, api: str, token: str, rate: float, seconds: float) -> dict[int, int]:
    statuses: Counter[int] = Counter()
    in_flight = 0

    async with _client(api, token if flood.with_token else "") as client:

        async def send(_: int) -> None:
            nonlocal in_flight
            if in_flight >= _IN_FLIGHT:
                statuses[0] += 1
                return
            in_flight += 1
            response = await client.request(flood.method, flood.path, content=flood.body)
            statuses[response.status_code] += 1
            if flood.cancels and response.is_success:
                place = f"/api/allocations/waiting/{response.json()['id']}"
                await client.delete(place)
            in_flight -= 1

        await _at_fixed_times(rate, seconds, send)
    return dict(statuses)


async def _at_fixed_times(rate: float, seconds: float, send: Callable[[int], Any]) -> None:
    """Call a function at a rate, whether or not the calls before have ended, and await them."""
    started = time.perf_counter()
    calls = []
    for number in range(round(rate * seconds)):
        await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
        calls.append(asyncio.create_task(send(number)))
    await asyncio.gather(*calls)


def _client(api: str, token: str) -> httpx.AsyncClient:
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return httpx.AsyncClient(base_url=api, headers=headers, timeout=_TIMEOUT)


def _p95(spent: list[float]) -> float:
    return quantiles(spent, n=100, method="inclusive")[94]


def _print(name: str, alone: list[float], flooded: list[float], statuses: Counter[int]) -> None:
    ratio = _p95(flooded) / _p95(alone)
    answers = ", ".join(
        f"{status or 'not sent'}: {statuses[status]}" for status in sorted(statuses)
    )
    print(
        f"{name:32} p50 {1000 * median(alone):5.1f} → {1000 * median(flooded):6.1f} ms,"
        f" p95 {1000 * _p95(alone):6.1f} → {1000 * _p95(flooded):7.1f} ms: {ratio:.2f} times"
        f" (target {TARGET:g}); {answers}",
        flush=True,
    )


if __name__ == "__main__":
    typer.run(main)
