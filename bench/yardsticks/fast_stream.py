"""Message after message with FastStream and aiomysql: ten at a time, a transaction each."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Final

import aiomysql
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage  # noqa: TC002 - FastStream reads annotations at run time

from bench.yardsticks.message import steps
from local.paths import ROOT
from scheduler.database.url import DatabaseUrl

if TYPE_CHECKING:
    from bench.stand import Stand

PREFETCH: Final = 10
_PATIENCE: Final = 120
"""Seconds; a message that fails is rejected and never counted."""


def drain(stand: Stand, queue: str, count: int) -> tuple[float, float]:
    """Consume messages of a queue; return seconds of clock and of CPU, without the start.

    In a process of its own: a second event loop beside the stand's crashed CPython 3.13.0.
    """
    done = subprocess.run(  # noqa: S603 - ours
        [
            *(sys.executable, "-m", "bench.yardsticks.fast_stream"),
            *(stand.rabbitmq.url, stand.mariadb.url, queue, str(count)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
    )
    seconds, cpu = map(float, done.stdout.split())
    return seconds, cpu


async def _drain(broker_url: str, database_url: str, queue: str, count: int) -> None:
    broker = RabbitBroker(broker_url, log_level=logging.DEBUG)  # no line for each message
    left, complete = count, asyncio.Event()
    async with _pool(database_url) as database:

        @broker.subscriber(RabbitQueue(queue, declare=False), channel=Channel(PREFETCH))  # type: ignore[untyped-decorator]
        async def on_message(message: RabbitMessage) -> None:
            nonlocal left
            await _apply(database, queue, message)
            left -= 1
            if left == 0:
                complete.set()

        async with asyncio.timeout(_PATIENCE), broker:
            started, cpu = time.perf_counter(), time.process_time()
            await broker.start()
            await complete.wait()
            print(time.perf_counter() - started, time.process_time() - cpu)


async def _apply(database: aiomysql.Pool, queue: str, message: RabbitMessage) -> None:
    async with database.acquire() as connection, connection.cursor() as cursor:
        work = steps(queue, message.message_id, message.body)
        statement = next(work)
        try:
            while True:
                await cursor.execute(*statement)
                statement = work.send(list(await cursor.fetchall()))
        except StopIteration:
            await connection.commit()


def _pool(database_url: str) -> aiomysql.pool._PoolContextManager:
    url = DatabaseUrl.parse(database_url)
    return aiomysql.create_pool(
        minsize=PREFETCH,
        maxsize=PREFETCH,
        host=url.host,
        port=url.port,
        user=url.user,
        password=url.password,
        db=url.name,
        charset="utf8mb4",
        init_command="SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00'",
    )


if __name__ == "__main__":
    broker, database, name, messages = sys.argv[1:]
    asyncio.run(_drain(broker, database, name, int(messages)))
