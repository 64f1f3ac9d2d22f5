"""The mapping keeps Amazon MQ's promises to the letter, against the real broker."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pika
import pytest

from local.event_source_mapping import run_mappings
from local.event_source_mapping.mapping import Batching, EventSourceMapping
from local.lambda_runtime.environment import PAYLOAD_LIMIT
from scheduler.messaging.topology import WORK_QUEUES
from tests.integration.local.proxy import Proxy
from tests.support.queues import ready
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pika.adapters.blocking_connection import BlockingChannel

    from tests.integration.local.conftest import MakeEnvironment

QUEUE = "mapping-test"


@dataclass
class Bench:
    """A queue, a channel to look at it, and what the probe function noted."""

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
        """Stop every mapping and return how many messages the queue still has."""
        self.stop_all()
        return ready(self.channel, QUEUE)


@pytest.fixture
def bench(broker_url: str, tmp_path: Path, make_environment: MakeEnvironment) -> Iterator[Bench]:
    connection = pika.BlockingConnection(pika.URLParameters(broker_url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_delete(QUEUE)
    declare_queue(channel)
    one = Bench(broker_url, channel, tmp_path / "notes", make_environment, [])
    yield one
    one.stop_all(grace=0)
    channel.queue_delete(QUEUE)
    connection.close()


def declare_queue(channel: BlockingChannel) -> None:
    channel.queue_declare(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})


SOON = Batching(size=100, window=0.1)
THREE = Batching(size=3, window=300)
"""For three messages that must come in one batch, however slowly the broker hands them over."""


def test_a_batch_is_acknowledged_when_the_function_returns(bench: Bench) -> None:
    bench.publish("a", "b", "c")
    bench.map(THREE)
    bench.await_done(3)

    assert bench.left() == 0
    (start,) = bench.noted("start")
    assert start["queue"] == f"{QUEUE}::{urlsplit(bench.url).path[1:]}"
    assert start["bodies"] == ["a", "b", "c"]
    assert start["redelivered"] == [False, False, False]


@pytest.mark.parametrize(
    ("action", "timeout", "is_lost"),
    [("fail", 30, False), ("crash", 30, True), ("hang", 2, True)],
)
def test_a_failed_batch_comes_back_whole_and_marked_and_a_lost_process_is_replaced(
    bench: Bench, action: str, timeout: float, *, is_lost: bool
) -> None:
    bench.publish("a", action, "c")
    bench.map(THREE, timeout=timeout)
    bench.await_done(3)

    assert bench.left() == 0
    first, second = bench.noted("start")
    assert first["redelivered"] == [False, False, False]
    assert second["redelivered"] == [True, True, True]
    assert sorted(bench.done()) == sorted(["a", action, "c"])
    assert (first["pid"] != second["pid"]) == is_lost


def test_an_invocation_is_over_before_the_next_begins(bench: Bench) -> None:
    bench.publish(*(str(number) for number in range(50)))
    bench.map(Batching(size=5, window=0.1))
    bench.await_done(50)

    order = [json.loads(line)["at"] for line in bench.notes.read_text().splitlines()]
    assert order == ["start", "end"] * (len(order) // 2)
    assert bench.done() == [str(number) for number in range(50)]


def test_a_full_batch_does_not_wait_for_its_window(bench: Bench) -> None:
    bench.map(Batching(size=5, window=300))
    bench.publish(*"abcde")

    bench.await_done(5)
    assert [note["bodies"] for note in bench.noted("end")] == [list("abcde")]


def test_the_window_invokes_with_what_there_is(bench: Bench) -> None:
    bench.map(SOON)
    bench.publish("alone")

    bench.await_done(1)


def test_an_event_never_exceeds_six_megabytes(bench: Bench) -> None:
    bench.publish(*("x" * 1_500_000 for _ in range(7)))
    bench.map(Batching(size=100, window=2))
    bench.await_done(7)

    assert bench.left() == 0
    assert max(note["size"] for note in bench.noted("start")) <= PAYLOAD_LIMIT
    assert max(len(note["bodies"]) for note in bench.noted("start")) == 3


def test_a_record_over_six_megabytes_is_dropped_as_lambda_drops_it(bench: Bench) -> None:
    bench.publish("before", "x" * 5_000_000, "after")
    bench.map(SOON)
    bench.await_done(2)

    assert bench.left() == 0
    assert bench.done() == ["before", "after"]


def test_stopping_lets_a_running_invocation_finish(bench: Bench) -> None:
    bench.publish("work")
    bench.map(SOON)
    eventually(lambda: bool(bench.noted("start")), "the invocation runs")

    assert bench.left() == 0
    assert bench.done() == ["work"]


def test_stopping_returns_what_does_not_finish_in_time(bench: Bench) -> None:
    bench.publish("a", "hang")
    bench.map(SOON)
    eventually(lambda: bool(bench.noted("start")), "the invocation runs")
    bench.stop_all(grace=0)

    bench.map(SOON)
    bench.await_done(2)
    assert sorted(bench.done()) == ["a", "hang"]
    assert bench.left() == 0


def test_an_invocation_may_take_longer_than_the_heartbeats(bench: Bench) -> None:
    bench.publish("outlast heartbeats")
    bench.map(SOON, url=f"{bench.url}?heartbeat=1")
    bench.await_done(1)

    assert bench.left() == 0
    assert len(bench.noted("start")) == 1


@pytest.fixture
def proxy(broker_url: str) -> Iterator[Proxy]:
    port = urlsplit(broker_url).port
    assert port
    one = Proxy(port)
    yield one
    one.close()


def test_a_lost_connection_is_rebuilt_and_its_batch_comes_again(bench: Bench, proxy: Proxy) -> None:
    bench.publish("work until told")
    bench.map(SOON, url=proxy.before(bench.url))
    eventually(lambda: bool(bench.noted("start")), "the invocation runs")
    proxy.cut()
    bench.notes.with_suffix(".told").touch()

    bench.await_done(2)
    assert [note["redelivered"] for note in bench.noted("start")] == [[False], [True]]
    order = [json.loads(line)["at"] for line in bench.notes.read_text().splitlines()]
    assert order == ["start", "end", "start", "end"]
    bench.publish("later")
    bench.await_done(3)
    assert bench.left() == 0


def test_a_queue_that_comes_late_is_waited_for(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.channel.queue_delete(QUEUE)
    bench.map(SOON)
    eventually(lambda: "NOT_FOUND" in caplog.text, "the queue is missed")
    declare_queue(bench.channel)
    bench.publish("a")

    bench.await_done(1)


def test_a_deleted_queue_is_consumed_again_once_it_exists(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    bench.map(SOON)
    bench.publish("a")
    bench.await_done(1)
    bench.channel.queue_delete(QUEUE)
    # RabbitMQ 3.10 never tells the consumers of a quorum queue that is back within moments.
    eventually(lambda: "the broker cancelled the consumer" in caplog.text, "the deletion is seen")
    declare_queue(bench.channel)
    bench.publish("b")

    bench.await_done(2)


def test_every_work_queue_has_one_consumer_until_the_mappings_stop(
    broker_url: str, bench: Bench, tmp_path: Path
) -> None:
    def consumers() -> set[int]:
        declared = (bench.channel.queue_declare(one.name, passive=True) for one in WORK_QUEUES)
        return {result.method.consumer_count for result in declared}

    with run_mappings(broker_url, {}, tmp_path):
        eventually(lambda: consumers() == {1}, "one consumer each")
    eventually(lambda: consumers() == {0}, "no consumer left")
