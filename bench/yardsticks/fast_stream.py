"""Message after message with FastStream and aiomysql: ten at a time, a transaction each."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

import aiomysql
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage  # noqa: TC002 - FastStream reads annotations at run time

from bench.yardsticks.message import steps
from scheduler.database.url import DatabaseUrl

if TYPE_CHECKING:
    from bench.stand import Stand

PREFETCH: Final = 10
_PATIENCE: Final = 120
"""Seconds; a message that fails is rejected and never counted."""


def drain(stand: Stand, queue: str, count: int) -> float:
    """Consume messages of a queue and return the seconds from the first to the last."""
    return asyncio.run(_drain(stand, queue, count))


async def _drain(stand: Stand, queue: str, count: int) -> float:
    broker = RabbitBroker(stand.rabbitmq.url, log_level=logging.DEBUG)  # no line for each message
    left, complete = count, asyncio.Event()
    async with _pool(stand) as database:

        @broker.subscriber(RabbitQueue(queue, declare=False), channel=Channel(PREFETCH))  # type: ignore[untyped-decorator]
        async def on_message(message: RabbitMessage) -> None:
            nonlocal left
            await _apply(database, queue, message)
            left -= 1
            if left == 0:
                complete.set()

        async with asyncio.timeout(_PATIENCE), broker:
            started = time.perf_counter()
            await broker.start()
            await complete.wait()
            return time.perf_counter() - started


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


def _pool(stand: Stand) -> aiomysql.pool._PoolContextManager:
    url = DatabaseUrl.parse(stand.mariadb.url)
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
