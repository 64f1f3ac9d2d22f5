"""Where messages go when an event has several queues, and when their number changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pika
import pytest

from scheduler.messaging import declaration, topology
from scheduler.messaging.declaration import TopologyConflictError
from scheduler.messaging.topology import WorkQueue
from scheduler.settings import MAX_SHARDS
from tests.integration.broker.sharded import Broker, each_once, exists
from tests.integration.housekeeping.conftest import Keeper
from tests.integration.ops.running import run
from tests.support.together import eventually

if TYPE_CHECKING:
    from local.servers.rabbitmq import RabbitMQ

FAILED = "device.failed"
KEYS = [f"device-{number:03}" for number in range(100)]


def test_messages_of_one_device_meet_in_one_shard_and_devices_spread_over_all(
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


def test_messages_without_a_key_all_go_to_one_shard_and_none_is_lost(four: Broker) -> None:
    for number in range(20):
        four.publish(FAILED, f"{number}")

    assert sorted(len(shard) for shard in four.take(FAILED)) == [0, 0, 0, 20]


def test_what_no_shard_is_found_for_goes_into_the_first_queue(broker: Broker) -> None:
    broker.declare(shards=2)
    for number in range(2):
        shard = WorkQueue(FAILED, number)
        broker.channel.queue_unbind(shard.name, shard.shards_exchange, "1")

    broker.publish(FAILED, "stray", "device-001")

    assert broker.take(FAILED)[0] == ["stray"]


def test_a_failed_message_waits_for_its_own_shard(four: Broker) -> None:
    third = WorkQueue(FAILED, 3)

    four.channel.basic_publish("", third.retry_name, b"{}", mandatory=True)

    eventually(
        lambda: four.channel.basic_get(third.name, auto_ack=True)[0] is not None, "it is back"
    )


@pytest.mark.parametrize("numbers", [(1, 4), (3, 2, 1)])
def test_another_number_of_shards_holds_what_is_there_and_leads_the_rest_once(
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


def test_one_shard_needs_neither_exchange_nor_further_queues(broker: Broker) -> None:
    for _ in range(2):
        broker.declare(shards=1)

    assert not exists(broker.url, WorkQueue(FAILED, 1).name)


def test_a_broker_without_the_plugin_is_told_how_to_get_it(rabbitmq: RabbitMQ) -> None:
    with pika.BlockingConnection(pika.URLParameters(rabbitmq.url)) as connection:
        declare = connection.channel().exchange_declare
        with pytest.raises(TopologyConflictError, match="rabbitmq_consistent_hash_exchange"):
            declaration._declare(declare, "mine", exchange_type="x-of-a-plugin")


def test_housekeeping_measures_every_shard(
    four: Broker, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Keeper(database_url, four.url, SHARDS=str(MAX_SHARDS)).run("measure")

    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    measured = {line["queue"] for line in lines if "scheduler_queue_depth" in line}
    expected = {queue.name for queue in topology.queues(shards=MAX_SHARDS)}
    assert measured == expected - {topology.DEAD_LETTER_QUEUE}


def stranded(url: str, database_url: str, capsys: pytest.CaptureFixture[str]) -> int:
    Keeper(database_url, url).run("measure")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    (count,) = [
        int(line["scheduler_stranded_messages"])
        for line in lines
        if "scheduler_stranded_messages" in line
    ]
    return count


def test_housekeeping_finds_what_a_rollback_from_more_shards_strands(
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


def test_nothing_is_stranded_where_there_was_one_shard_only(
    broker: Broker, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    broker.declare(shards=1)
    broker.publish(FAILED, "one")

    assert stranded(broker.url, database_url, capsys) == 0


def test_operators_see_the_sum_of_an_events_shards(four: Broker) -> None:
    for key in KEYS:
        four.publish(FAILED, key, key)

    shown = run("watch", "--once", "--shards", "4", "--broker-url", four.url).stdout

    (row,) = [line for line in shown.splitlines() if FAILED in line]
    assert row.split()[1] == str(len(KEYS))


def test_what_operators_publish_is_dealt_out_by_its_subject(four: Broker) -> None:
    for key in KEYS[:12]:
        arguments = (FAILED, f"deviceId={key}", "reason=Screen is dark")
        assert run("publish", *arguments, "--broker-url", four.url).exit_code == 0

    assert sum(1 for shard in four.take(FAILED) if shard) > 1
