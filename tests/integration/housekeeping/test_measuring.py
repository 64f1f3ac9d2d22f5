"""The depth of every queue and the state of the brake are measured."""

from __future__ import annotations

import json
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import pika
import pytest

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from scheduler.database import brake
from scheduler.deadline import Deadline
from scheduler.messaging import topology
from scheduler.messaging.declaration import declare
from tests.integration.housekeeping.conftest import Housekeeping
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.rabbitmq import RabbitMQ
    from tests.support.store import Store

MEASURED = {queue.name for queue in topology.queues()} - {topology.DEAD_LETTER_QUEUE}


@contextmanager
def channel(url: str) -> Iterator[Any]:
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        opened = connection.channel()
        opened.confirm_delivery()
        yield opened


def put(url: str, queue: str, count: int) -> None:
    with channel(url) as on:
        for _ in range(count):
            on.basic_publish("", queue, b"{}")


@pytest.fixture
def housekeeping(database_url: str, broker_url: str) -> Housekeeping:
    return Housekeeping(database_url, broker_url)


def measured(capsys: pytest.CaptureFixture[str], name: str) -> dict[str, float]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {line["queue"]: line[name] for line in lines if name in line}


def test_every_queue_has_its_depth(
    housekeeping: Housekeeping, broker_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(broker_url, "scheduler.device-failed", 3)
    put(broker_url, "scheduler.user-suspended.retry", 2)

    assert housekeeping.run("measure") == len(MEASURED) + 1

    depths = measured(capsys, "scheduler_queue_depth")
    assert set(depths) == MEASURED
    assert {queue: depth for queue, depth in depths.items() if depth} == {
        "scheduler.device-failed": 3,
        "scheduler.user-suspended.retry": 2,
    }


def test_dead_letters_are_counted_without_being_touched(
    housekeeping: Housekeeping, broker_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(broker_url, topology.DEAD_LETTER_QUEUE, 4)

    housekeeping.run("measure")
    housekeeping.run("measure")

    assert measured(capsys, "scheduler_dead_letters") == {topology.DEAD_LETTER_QUEUE: 4}
    with channel(broker_url) as on:
        method, properties, _ = on.basic_get(topology.DEAD_LETTER_QUEUE)
    assert not method.redelivered
    assert properties.headers == {"x-delivery-count": 0}


def test_a_missing_queue_is_logged_and_the_others_are_measured(
    rabbitmq: RabbitMQ,
    database_url: str,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    missing = "scheduler.user-suspended"
    url = rabbitmq.create_vhost("measuring")
    with channel(url) as on:
        declare(on)
        on.queue_delete(missing)

    assert Housekeeping(database_url, url).run("measure") == len(MEASURED)

    assert set(measured(capsys, "scheduler_queue_depth")) == MEASURED - {missing}
    assert [r.__dict__["queue"] for r in caplog.records if r.levelname == "ERROR"] == [missing]


def test_an_unavailable_broker_fails_only_this_job(database_url: str) -> None:
    housekeeping = Housekeeping(database_url)

    results = JobRunner(JOBS, housekeeping.tools).run(["measure", "expire"], Deadline(float("inf")))

    assert results["measure"]["status"] == "failed"
    assert results["expire"]["status"] == "done"


def brake_values(capsys: pytest.CaptureFixture[str]) -> list[int]:
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    name = "scheduler_mass_failure_brake"
    return [line[name] for line in lines if name in line]


def test_an_engaged_brake_is_measured_until_an_operator_decides(
    housekeeping: Housekeeping, store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    assert housekeeping.run("brake") == 0
    with store.database.transaction() as cursor:
        brake.engage(cursor, NOW)
    assert housekeeping.run("brake") == 1
    assert housekeeping.after(1000 * MINUTE).run("brake") == 1
    with store.database.transaction() as cursor:
        brake.release(cursor, NOW + 2000 * MINUTE)
    assert housekeeping.run("brake") == 0

    assert brake_values(capsys) == [0, 1, 1, 0]
