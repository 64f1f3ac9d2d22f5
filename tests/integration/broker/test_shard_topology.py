"""How messages are routed if an event has several queues, and when their number changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pika
import pytest

from local.endpoints import write
from scheduler.messaging import declaration, topology
from scheduler.messaging.declaration import TopologyConflictError
from scheduler.messaging.topology import WorkQueue
from scheduler.settings import MAX_SHARDS
from tests.integration.broker.sharded import Broker, each_once, exists
from tests.integration.housekeeping.conftest import Housekeeping
from tests.integration.ops.running import run
from tests.support.together import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from local.servers.rabbitmq import RabbitMQ

FAILED = "device.failed"
KEYS = [f"device-{number:03}" for number in range(100)]


def test_messages_of_a_device_share_a_shard_and_devices_use_all_shards(
    four: Broker,
) -> None:
    for number in range(2):
        for key in KEYS:
            four.publish(FAILED, f"{key} {number}", key)

    shards = four.take(FAILED)

    assert each_once(shards)
    assert all(len(shard) > 2 for shard in shards), [len(shard) for shard in shards]
    for shard in shards:
        assert sorted(id_ for id_ in shard if id_.endswith("0")) == sorted(
            id_.replace(" 1", " 0") for id_ in shard if id_.endswith("1")
        )


def test_messages_without_a_shard_key_go_to_one_shard(four: Broker) -> None:
    for number in range(20):
        four.publish(FAILED, f"{number}")

    assert sorted(len(shard) for shard in four.take(FAILED)) == [0, 0, 0, 20]


def test_message_that_cannot_be_routed_to_a_shard_goes_to_the_first_queue(broker: Broker) -> None:
    broker.declare(shards=2)
    for number in range(2):
        shard = WorkQueue(FAILED, number)
        broker.channel.queue_unbind(shard.name, shard.shards_exchange, "1")

    broker.publish(FAILED, "stray", "device-001")

    assert broker.take(FAILED)[0] == ["stray"]


def test_failed_message_is_retried_in_its_shard(four: Broker) -> None:
    third = WorkQueue(FAILED, 3)

    four.channel.basic_publish("", third.retry_name, b"{}", mandatory=True)

    eventually(
        lambda: four.channel.basic_get(third.name, auto_ack=True)[0] is not None, "it is back"
    )


@pytest.mark.parametrize("numbers", [(1, 4), (3, 2, 1)])
def test_changing_the_number_of_shards_loses_and_duplicates_nothing(
    numbers: tuple[int, ...], broker: Broker
) -> None:
    for number in numbers:
        broker.declare(number)
        for key in KEYS:
            broker.publish(FAILED, f"{key} of {number}", key)

    shards = broker.take(FAILED)

    assert each_once(shards)
    assert sum(map(len, shards)) == len(numbers) * len(KEYS)
    last = numbers[-1]
    assert not [id_ for shard in shards[last:] for id_ in shard if id_.endswith(f"of {last}")]


def test_one_shard_needs_no_exchange_and_no_further_queues(broker: Broker) -> None:
    for _ in range(2):
        broker.declare(shards=1)

    assert not exists(broker.url, WorkQueue(FAILED, 1).name)


def test_missing_plugin_is_named_in_the_error(rabbitmq: RabbitMQ) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        declarations = declaration._Declarations(connection.channel())
        with pytest.raises(TopologyConflictError, match="rabbitmq_consistent_hash_exchange"):
            declarations.exchange("mine", "x-of-a-plugin")


def test_housekeeping_measures_every_shard(
    four: Broker, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Housekeeping(database_url, four.url, SHARDS=str(MAX_SHARDS)).run("measure")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    measured = {line["queue"] for line in lines if "scheduler_queue_depth" in line}
    expected = {queue.name for queue in topology.queues(shards=MAX_SHARDS)}
    assert measured == expected - {topology.DEAD_LETTER_QUEUE}


def stranded(url: str, database_url: str, capsys: pytest.CaptureFixture[str]) -> int:
    Housekeeping(database_url, url).run("measure")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (count,) = [
        int(line["scheduler_stranded_messages"])
        for line in lines
        if "scheduler_stranded_messages" in line
    ]
    return count


def test_housekeeping_counts_messages_stranded_by_fewer_shards(
    broker: Broker, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.declare(shards=3)
    for key in KEYS:
        broker.publish(FAILED, key, key)
    broker.channel.basic_publish("", WorkQueue("user.activated", 2).name, b"{}", mandatory=True)
    broker.declare(shards=1)

    found = stranded(broker.url, database_url, capsys)

    shards = broker.take(FAILED)
    assert found == len(shards[1]) + len(shards[2]) + 1
    assert shards[1]
    assert shards[2]


def test_nothing_is_stranded_with_one_shard(
    broker: Broker, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.declare(shards=1)
    broker.publish(FAILED, "one")

    assert stranded(broker.url, database_url, capsys) == 0


def test_operators_see_the_sum_of_all_deployed_shards(four: Broker, tmp_path: Path) -> None:
    write(tmp_path / "endpoints.json", {"amqp": four.url, "shards": 4})
    for key in KEYS:
        four.publish(FAILED, key, key)

    arguments = ("watch", "--once", "--broker-url", four.url)
    shown = run(*arguments, CLOUDPHONE_STATE_DIR=str(tmp_path)).stdout

    (row,) = [line for line in shown.splitlines() if FAILED in line]
    assert row.split()[1] == str(len(KEYS))


def test_messages_of_operators_are_distributed_by_their_subject(four: Broker) -> None:
    for key in KEYS[:12]:
        arguments = (FAILED, f"deviceId={key}", "reason=Screen is dark")
        assert run("publish", *arguments, "--broker-url", four.url).exit_code == 0

    assert sum(1 for shard in four.take(FAILED) if shard) > 1
