"""Consumes message by message with pika and PyMySQL: a transaction and an acknowledgement each."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pika

from bench.yardsticks.message_work import steps
from scheduler.database.connection import connect

if TYPE_CHECKING:
    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.spec import Basic

    from bench.testbed import Testbed

PREFETCH: Final = 10


def drain(testbed: Testbed, queue: str, count: int) -> float:
    """Consume messages of a queue and return the seconds."""
    left = count
    with closing(connect(testbed.database)) as database, database.cursor() as cursor:

        def on_message(
            channel: BlockingChannel,
            method: Basic.Deliver,
            properties: BasicProperties,
            body: bytes,
        ) -> None:
            nonlocal left
            work = steps(queue, properties.message_id, body)
            statement = next(work)
            try:
                while True:
                    cursor.execute(*statement)
                    statement = work.send(list(cursor.fetchall()))
            except StopIteration:
                database.commit()
            channel.basic_ack(method.delivery_tag)
            left -= 1
            if left == 0:
                channel.stop_consuming()

        with closing(
            pika.BlockingConnection(pika.URLParameters(testbed.rabbitmq.url))
        ) as connection:
            channel = connection.channel()
            channel.basic_qos(prefetch_count=PREFETCH)
            channel.basic_consume(queue, on_message)
            started = time.perf_counter()
            channel.start_consuming()
            return time.perf_counter() - started
