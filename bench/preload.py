"""Fills a queue before the clock runs."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Final

import pika

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.workload import Published

_TRANSACTION: Final = 500


def preload(broker_url: str, events: Sequence[Published]) -> None:
    """Publish events into their queues; they are there when it returns."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        channel = connection.channel()
        channel.tx_select()
        for number, event in enumerate(events, start=1):
            channel.basic_publish("", event.queue, event.body, event.properties)
            if number % _TRANSACTION == 0:
                channel.tx_commit()
        channel.tx_commit()
