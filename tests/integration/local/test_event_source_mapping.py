"""The mapping behaves like Amazon MQ's, on the real broker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pika
import pytest

from local.event_source_mapping import run_mappings
from local.event_source_mapping.mapping import Batching, EventSourceMapping
from local.lambda_runtime.environment import PAYLOAD_LIMIT
from scheduler.messaging.topology import WORK_QUEUES
from tests.integration.local.proxy import Proxy, proxy_to
from tests.support.queues import ready
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.integration.local.conftest import MakeEnvironment

QUEUE = "mapping-test"


@dataclass
class MappingRig:
    """A queue, a channel, and the notes of the probe function."""

    url: str
    channel: BlockingChannel
    notes: Path
    make_environment: MakeEnvironment
    running: list[EventSourceMapping]

    def publish(self, *bodies: str) -> None:
        for body in bodies:
            self.channel.basic_publish("", QUEUE, body.encode())

    def map(
        self, batching: Batching, *, timeout: float = 30, url: str | None = None
    ) -> EventSourceMapping:
        environment = self.make_environment("consume", timeout, PROBE_FILE=str(self.notes))
        mapping = EventSourceMapping(url or self.url, QUEUE, environment, batching)
        self.running.append(mapping)
        mapping.start()
        return mapping

    def noted(self, at: str) -> list[dict[str, Any]]:
        lines = self.notes.read_text().splitlines() if self.notes.exists() else []
        return [note for note in map(json.loads, lines) if note["at"] == at]

    def done(self) -> list[str]:
        return [body for note in self.noted("end") for body in note["bodies"]]

    def await_done(self, count: int) -> None:
        eventually(lambda: len(self.done()) >= count, f"{count} messages done, {self.done()}")

    def stop_all(self, grace: float = 10) -> None:
        while self.running:
            self.running.pop().stop(grace)

    def left(self) -> int:
        """Stop all mappings and return the number of messages in the queue."""
        self.stop_all()
        return ready(self.channel, QUEUE)


@pytest.fixture
def rig(broker_url: str, tmp_path: Path, make_environment: MakeEnvironment) -> Iterator[MappingRig]:
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_delete(QUEUE)
    declare_queue(channel)
    one = MappingRig(broker_url, channel, tmp_path / "notes", make_environment, [])
    yield one
    one.stop_all(grace=0)
    channel.queue_delete(QUEUE)
    connection.close()


def declare_queue(channel: BlockingChannel) -> None:
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


SHORT_WINDOW = Batching(size=100, window=0.1)
BATCH_OF_THREE = Batching(size=3, window=300)
"""For three messages that must form one batch, even if the broker delivers them slowly."""


def test_batch_is_acknowledged_when_the_function_returns(rig: MappingRig) -> None:
    rig.publish("a", "b", "c")
    rig.map(BATCH_OF_THREE)
    rig.await_done(3)

    assert rig.left() == 0
    (start,) = rig.noted("start")
    assert start["queue"] == f"{QUEUE}::{urlsplit(rig.url).path[1:]}"
    assert start["bodies"] == ["a", "b", "c"]
    assert start["redelivered"] == [False, False, False]


@pytest.mark.parametrize(
    ("action", "timeout", "is_lost"),
    [("fail", 30, False), ("crash", 30, True), ("hang", 2, True)],
)
def test_failed_batch_is_redelivered_and_a_dead_process_is_replaced(
    rig: MappingRig, action: str, timeout: float, *, is_lost: bool
) -> None:
    rig.publish("a", action, "c")
    rig.map(BATCH_OF_THREE, timeout=timeout)
    rig.await_done(3)

    assert rig.left() == 0
    first, second = rig.noted("start")
    assert first["redelivered"] == [False, False, False]
    assert second["redelivered"] == [True, True, True]
    assert sorted(rig.done()) == sorted(["a", action, "c"])
    assert (first["pid"] != second["pid"]) == is_lost


def test_header_time_beyond_the_year_9999_does_not_stop_the_queue(
    rig: MappingRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pika cannot decode it and would lose the connection each time it is delivered; pika#1698."""
    headers = {"at": datetime(2025, 11, 26, tzinfo=UTC), "x": {"deep": "text"}}
    with monkeypatch.context() as patched:
        patched.setattr("pika.data.calendar.timegm", lambda _: 1_764_181_979_000)
        rig.channel.basic_publish("", QUEUE, b"a", pika.BasicProperties(headers=headers))
    rig.publish("b", "c")
    rig.map(BATCH_OF_THREE)
    rig.await_done(3)

    assert rig.left() == 0
    (start,) = rig.noted("start")
    assert start["bodies"] == ["a", "b", "c"]
    assert start["redelivered"] == [False, False, False]


def test_invocations_do_not_overlap(rig: MappingRig) -> None:
    rig.publish(*(str(number) for number in range(50)))
    rig.map(Batching(size=5, window=0.1))
    rig.await_done(50)

    order = [json.loads(line)["at"] for line in rig.notes.read_text().splitlines()]
    assert order == ["start", "end"] * (len(order) // 2)
    assert rig.done() == [str(number) for number in range(50)]


def test_full_batch_does_not_wait_for_the_window(rig: MappingRig) -> None:
    rig.map(Batching(size=5, window=300))
    rig.publish(*"abcde")

    rig.await_done(5)
    assert [note["bodies"] for note in rig.noted("end")] == [list("abcde")]


def test_incomplete_batch_is_invoked_after_the_window(rig: MappingRig) -> None:
    rig.map(SHORT_WINDOW)
    rig.publish("alone")

    rig.await_done(1)


def test_event_never_exceeds_six_megabytes(rig: MappingRig) -> None:
    rig.publish(*("x" * 1_500_000 for _ in range(7)))
    rig.map(Batching(size=100, window=2))
    rig.await_done(7)

    assert rig.left() == 0
    assert max(note["size"] for note in rig.noted("start")) <= PAYLOAD_LIMIT
    assert max(len(note["bodies"]) for note in rig.noted("start")) == 3


def test_record_over_six_megabytes_is_dropped(rig: MappingRig) -> None:
    rig.publish("before", "x" * 5_000_000, "after")
    rig.map(SHORT_WINDOW)
    rig.await_done(2)

    assert rig.left() == 0
    assert rig.done() == ["before", "after"]


def test_stopping_waits_for_a_running_invocation(rig: MappingRig) -> None:
    rig.publish("work")
    rig.map(SHORT_WINDOW)
    eventually(lambda: bool(rig.noted("start")), "the invocation has started")

    assert rig.left() == 0
    assert rig.done() == ["work"]


def test_stopping_requeues_a_batch_that_does_not_finish_in_time(rig: MappingRig) -> None:
    rig.publish("a", "hang")
    rig.map(SHORT_WINDOW)
    eventually(lambda: bool(rig.noted("start")), "the invocation has started")
    rig.stop_all(grace=0)

    rig.map(SHORT_WINDOW)
    rig.await_done(2)
    assert sorted(rig.done()) == ["a", "hang"]
    assert rig.left() == 0


def test_invocation_may_take_longer_than_the_heartbeat_timeout(rig: MappingRig) -> None:
    rig.publish("outlast heartbeats")
    rig.map(SHORT_WINDOW, url=f"{rig.url}?heartbeat=1")
    rig.await_done(1)

    assert rig.left() == 0
    assert len(rig.noted("start")) == 1


@pytest.fixture
def proxy(broker_url: str) -> Iterator[Proxy]:
    with proxy_to(broker_url) as made:
        yield made


def test_batch_is_redelivered_after_a_lost_connection(rig: MappingRig, proxy: Proxy) -> None:
    rig.publish("work until told")
    rig.map(SHORT_WINDOW, url=proxy.before(rig.url))
    eventually(lambda: bool(rig.noted("start")), "the invocation has started")
    proxy.cut()
    rig.notes.with_suffix(".told").touch()

    rig.await_done(2)
    assert [note["redelivered"] for note in rig.noted("start")] == [[False], [True]]
    order = [json.loads(line)["at"] for line in rig.notes.read_text().splitlines()]
    assert order == ["start", "end", "start", "end"]
    rig.publish("later")
    rig.await_done(3)
    assert rig.left() == 0


def test_mapping_waits_for_a_missing_queue(
    rig: MappingRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.channel.queue_delete(QUEUE)
    rig.map(SHORT_WINDOW)
    eventually(lambda: "NOT_FOUND" in caplog.text, "the missing queue is noticed")
    declare_queue(rig.channel)
    rig.publish("a")

    rig.await_done(1)


def test_queue_is_consumed_again_after_it_was_recreated(
    rig: MappingRig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.map(SHORT_WINDOW)
    rig.publish("a")
    rig.await_done(1)
    rig.channel.queue_delete(QUEUE)
    # RabbitMQ 3.10 does not notify consumers if a quorum queue is recreated within moments.
    eventually(
        lambda: "the broker cancelled the consumer" in caplog.text, "the deletion is noticed"
    )
    declare_queue(rig.channel)
    rig.publish("b")

    rig.await_done(2)


def test_every_work_queue_has_one_consumer_until_the_mappings_stop(
    broker_url: str, rig: MappingRig, tmp_path: Path
) -> None:
    def consumers() -> set[int]:
        declared = (rig.channel.queue_declare(one.name, passive=True) for one in WORK_QUEUES)
        return {result.method.consumer_count for result in declared}

    with run_mappings(broker_url, {}, tmp_path):
        eventually(lambda: consumers() == {1}, "one consumer each")
    eventually(lambda: consumers() == {0}, "no consumer left")
