"""The cost of a batch of 100: statements, bytes, time by stage, and parking its failures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import pika

from bench.results import FOLDER
from bench.workload import DEVICE_FAILED, invocations, seed
from local.paths import ROOT
from scheduler.messaging.message import Message
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.testbed import Testbed
    from scheduler.messaging.outbound import OutboundMessage

_BATCH: Final = 100
_BATCHES: Final = 90
_ROUNDS: Final = 21
"""Batches that are parked; the first one connects and does not count."""


def measure(testbed: Testbed) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the cost of a batch and the time of its stages; writes a profile to the results."""
    testbed.empty()
    with testbed.cursor() as cursor:
        began = seed(cursor, _BATCHES * _BATCH)
    events = testbed.folder / "events"
    batches = invocations(DEVICE_FAILED.events(range(_BATCHES * _BATCH), began), _BATCH)
    events.write_bytes(b"\n".join(batches))
    FOLDER.mkdir(exist_ok=True)
    done = subprocess.run(  # noqa: S603 - our own module
        [sys.executable, "-m", "bench.stages", str(events), str(FOLDER / "profile.html")],
        cwd=ROOT,
        env={**os.environ, **testbed.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=True,
    )
    found = json.loads(done.stderr.splitlines()[-1])
    cost = found["cost"]
    yield (
        "a batch of 100",
        {
            "statements": cost["Questions"],
            "bytes_sent_per_event": cost["Bytes_received"] / _BATCH,
            "bytes_received_per_event": cost["Bytes_sent"] / _BATCH,
        },
    )
    for stage, (wall, cpu) in found["stages"].items():
        yield (
            stage,
            {"us_per_event": 1e6 * wall / _BATCH, "function_cpu_us_per_event": 1e6 * cpu / _BATCH},
        )
    yield "settling: 100 failures parked", _parking(testbed.rabbitmq.url)


def _parking(broker_url: str) -> dict[str, Any]:
    """Return the time until the broker has confirmed a batch in its retry queue."""
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
