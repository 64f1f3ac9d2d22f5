"""A message is recognised in every shard, and consumers of shards can run at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from local.environment import function_environment
from local.event_source_mapping import run_mappings
from local.event_source_mapping.mapping import Batching
from scheduler.messaging.topology import WORK_QUEUE_BY_NAME, WorkQueue, event_queue
from scheduler.settings import MAX_SHARDS
from tests.support.events import EVENT_TYPES, message, mq_event
from tests.support.queues import ready
from tests.support.together import eventually
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from pathlib import Path

    from scheduler.messaging.message import Message
    from tests.integration.broker.sharded import Broker
    from tests.support.functions import Functions
    from tests.support.store import Store

DEVICES = 40


def through(shard: int, sent: Message) -> Message:
    """Return the message as received through a shard."""
    return sent._replace(queue=WorkQueue(WORK_QUEUE_BY_NAME[sent.queue].event_type, shard).name)


def consume(functions: Functions, *messages: Message) -> dict[str, int]:
    family = event_queue(messages[0].queue)[0].removeprefix("scheduler.").partition("-")[0]
    return functions.invoke(family, mq_event(*messages))


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_event_applied_in_one_shard_is_a_duplicate_in_any_other(
    event_type: str, store: Store, functions: Functions
) -> None:
    store.seed(world(user("u1"), held("d1")))
    sent = message(event_type, id="once")

    assert consume(functions, through(2, sent)) == {"success": 1}
    assert consume(functions, through(3, sent)) == {"duplicate": 1}
    assert consume(functions, through(0, sent)) == {"duplicate": 1}
    assert store.state()["processed"] == [(sent.queue, "once")]


def test_redelivered_message_without_an_id_is_recognised_in_any_shard(
    store: Store, functions: Functions
) -> None:
    store.seed(world(held("d1")))
    sent = message("device.failed", id=None)

    assert consume(functions, through(1, sent)) == {"success": 1}
    assert consume(functions, through(2, sent._replace(redelivered=True))) == {"duplicate": 1}
    assert consume(functions, through(3, sent)) == {"success": 1}


def test_four_consumers_of_each_event_at_once_apply_every_message_once(
    store: Store, four: Broker, database_url: str, aws_url: str, tmp_path: Path
) -> None:
    """Every message is in two shards, which are consumed at the same time."""
    names = [f"d{number:02}" for number in range(DEVICES)]
    store.seed(world(*(held(name, by=f"u{name}") for name in names)))
    for name in names:
        for copy in ("", " again"):
            four.publish("device.failed", f"failed {name}", name + copy, deviceId=name)
            four.publish("user.suspended", f"suspended {name}", name + copy, userId=f"u{name}")
    environment = function_environment(database_url, four.url, aws_url)

    with run_mappings(
        four.url, environment, tmp_path, batching=Batching(window=0.1), shards=MAX_SHARDS
    ):
        eventually(lambda: processed(store) == 2 * DEVICES, "every message is done")
        eventually(lambda: waiting(four) == 0, "every copy is acknowledged")

    state = store.state()
    assert len(state["processed"]) == 2 * DEVICES
    assert {row.status for row in state["allocations"]} == {"RELEASED"}
    released = [row for row in state["notifications"] if row.type == "device_released"]
    assert len(released) == DEVICES
    consumed = {path.name for path in tmp_path.glob("*.log") if path.stat().st_size}
    assert len([name for name in consumed if "device-failed" in name]) == MAX_SHARDS


def processed(store: Store) -> int:
    ((count,),) = store.rows("SELECT count(*) FROM processed_messages")
    return int(count)


def waiting(broker: Broker) -> int:
    return sum(
        ready(broker.channel, name)
        for event_type in ("device.failed", "user.suspended")
        for shard in range(MAX_SHARDS)
        for name in (WorkQueue(event_type, shard).name, WorkQueue(event_type, shard).retry_name)
    )
