"""Consumes message by message with FastStream and aiomysql: ten at a time, a transaction each.

    python -m bench.yardsticks.faststream_consumer BROKER_URL DATABASE_URL QUEUE COUNT

Prints the seconds of wall-clock time and of CPU, without the start.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from typing import Final

import aiomysql
from faststream.rabbit import Channel, RabbitBroker, RabbitQueue
from faststream.rabbit.annotations import RabbitMessage  # noqa: TC002 - FastStream reads annotations at run time
from pymysql.constants import FIELD_TYPE
from pymysql.converters import decoders

from bench.yardsticks.message_work import steps
from scheduler.database import times
from scheduler.database.url import DatabaseUrl

PREFETCH: Final = 10
_DECODERS: Final = {**decoders, FIELD_TYPE.DATETIME: times.from_sql}
"""Times are read as aware ones, as in the functions."""
_TIMEOUT: Final = 120
"""Seconds; a message that fails is rejected and never counted."""


async def _drain(broker_url: str, database_url: str, queue: str, count: int) -> None:
    broker = RabbitBroker(broker_url, log_level=logging.DEBUG)  # no log line for each message
    left, complete = count, asyncio.Event()
    async with _pool(database_url) as database:

        @broker.subscriber(RabbitQueue(queue, declare=False), channel=Channel(PREFETCH))  # type: ignore[untyped-decorator]  # FastStream has no types for it
        async def on_message(message: RabbitMessage) -> None:
            nonlocal left
            await _apply(database, queue, message)
            left -= 1
            if left == 0:
                complete.set()

        async with asyncio.timeout(_TIMEOUT), broker:
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
        conv=_DECODERS,
        init_command="SET SESSION tx_isolation = 'READ-COMMITTED', time_zone = '+00:00'",
    )


if __name__ == "__main__":
    broker, database, name, messages = sys.argv[1:]
    asyncio.run(_drain(broker, database, name, int(messages)))
