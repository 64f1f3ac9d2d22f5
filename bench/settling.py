"""Settling what failed: a batch of a hundred parked in its retry queue, with confirms."""

from __future__ import annotations

import time
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pika

from bench.workload import DEVICE_FAILED
from scheduler.messaging.message import Message
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from scheduler.messaging.outbound import OutboundMessage

_BATCH: Final = 100
_ROUNDS: Final = 21


def measure(broker_url: str) -> dict[str, Any]:
    """Return how long it takes until the broker has confirmed a hundred parked messages."""
    queue, seconds, cpu = DEVICE_FAILED.queue.retry_name, [], []
    with (
        closing(Publisher(BrokerSettings.model_validate({"BROKER_URL": broker_url}))) as publisher,
        closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection,
    ):
        channel = connection.channel()
        for _ in range(_ROUNDS):
            messages = _parked()
            wall, used = time.perf_counter(), time.thread_time()
            publisher.publish(messages)
            seconds.append(time.perf_counter() - wall)
            cpu.append(time.thread_time() - used)
            channel.queue_purge(queue)
    # The first one connects.
    return {
        "seconds": median(seconds[1:]),
        "us_per_event": 1e6 * median(seconds[1:]) / _BATCH,
        "function_cpu_us_per_event": 1e6 * median(cpu[1:]) / _BATCH,
    }


def _parked() -> list[OutboundMessage]:
    now = datetime.now(UTC)
    made = []
    for event in DEVICE_FAILED.events(range(_BATCH), now):
        properties = {"content_type": "application/json", "message_id": event.message_id}
        message = Message(event.queue, event.body, properties, now)
        settled = Settled(Outcome(message, Verdict.PARKED), Settlement.RETRIED)
        made.append(outbound_message(settled, now))
    return [one for one in made if one]
