"""``dead-letters replay``: to the work queue, as first published, once, in order, not in a loop."""

from __future__ import annotations

import json
import threading
import time
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pika
import pytest

from scheduler.messaging.declaration import declare
from scheduler.messaging.outbound import OutboundMessage
from scheduler.messaging.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE
from tests.integration.ops.letters import Broker, letter, numbered
from tests.integration.ops.running import DeadLetters

if TYPE_CHECKING:
    from collections.abc import Iterator

    from local.servers.rabbitmq import RabbitMQ

FAILED = "scheduler.device-failed"
SUSPENDED = "scheduler.user-suspended"


def test_replayed_message_is_the_one_first_published(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    headers: dict[str, Any] = {"trace": "设备", "n": 2**40, "raw": b"\xff", "deep": [{"a": None}]}
    properties = {
        "message_id": "消息-1",
        "correlation_id": "c-1",
        "content_type": "application/json",
        "content_encoding": "identity",
        "type": "device.failed",
        "app_id": "device-service",
        "reply_to": "answers",
        "priority": 3,
        "timestamp": 1_795_500_000,
    }
    sent = letter(headers={**headers, "x-attempt": 3}, body=b"\xff\x00")
    all_headers = sent.properties["headers"]
    broker.publish(
        OutboundMessage(
            sent.exchange, sent.routing_key, sent.body, {**properties, "headers": all_headers}
        )
    )

    assert dead_letters.json("replay") == {
        "dryRun": False,
        "total": 1,
        "matched": 1,
        "replayed": 1,
        "refused": [],
        "readers": 0,
        "held": 0,
    }

    (found,) = broker.take(FAILED)
    assert found.body == b"\xff\x00"
    received_at = all_headers["x-received-at"]
    assert found.headers == {**headers, "x-replays": 1, "x-received-at": received_at}
    assert {name: getattr(found.properties, name) for name in properties} == properties
    assert found.properties.delivery_mode == 2
    assert broker.depth(DEAD_LETTER_QUEUE) == 0


def test_time_beyond_the_year_9999_is_replayed_as_an_integer(
    broker: Broker, dead_letters: DeadLetters, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A publisher wrote milliseconds into a header; pika#1698."""
    milliseconds = 1_764_181_979_000
    at = datetime(2025, 11, 26, tzinfo=UTC)
    with monkeypatch.context() as patched:
        patched.setattr("pika.data.calendar.timegm", lambda _: milliseconds)
        broker.publish(letter(id="m-1", headers={"at": at, "deep": [{"at": at}]}), letter(id="m-2"))

    assert dead_letters.json("list")["total"] == 2
    assert dead_letters.json("replay")["replayed"] == 2

    found, other = broker.take(FAILED)
    assert (found.headers["at"], found.headers["deep"]) == (milliseconds, [{"at": milliseconds}])
    assert other.properties.message_id == "m-2"


def test_message_dead_lettered_by_the_broker_can_be_replayed(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    given: dict[str, Any] = {"message_id": "m-1", "headers": {"trace": "t"}, "expiration": "90000"}
    broker.publish(OutboundMessage("", FAILED, b"{}", given))
    broker.reject(FAILED)
    broker.eventually_holds(1, DEAD_LETTER_QUEUE)

    assert dead_letters.json("replay")["replayed"] == 1

    (found,) = broker.take(FAILED)
    received_at = found.headers["x-received-at"]
    assert received_at <= time.time() * 1000
    assert found.headers == {"trace": "t", "x-replays": 1, "x-received-at": received_at}
    assert found.properties.expiration is None


def test_letters_are_replayed_in_the_order_of_their_failure(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    ids = numbered(range(60))
    broker.publish(
        *(letter(("device.failed", "user.suspended")[n % 2], id=id_) for n, id_ in enumerate(ids))
    )

    assert dead_letters.json("replay", "--queue", "device.failed")["replayed"] == 30

    assert broker.ids(FAILED) == ids[::2]
    assert broker.ids(DEAD_LETTER_QUEUE) == ids[1::2]


def test_second_replay_does_nothing(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1"), letter("user.suspended", id="m-2"))

    assert dead_letters.run("replay").stdout == "Replayed 2 of 2 dead letters.\n"
    assert dead_letters.run("replay").stdout == "Replayed 0 of 0 dead letters.\n"

    assert broker.ids(FAILED, SUSPENDED) == ["m-1", "m-2"]


def test_dry_run_replays_nothing(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="m-1"), letter(id="m-2"), letter(id="often", replays=3))

    result = dead_letters.run("replay", "--dry-run", "--json")

    told = json.loads(result.stdout)
    assert (told["dryRun"], told["replayed"], told["refused"][0]["count"]) == (True, 2, 1)
    assert broker.depth(FAILED) == 0
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-1", "m-2", "often"]


def test_letter_at_the_replay_limit_needs_force(broker: Broker, dead_letters: DeadLetters) -> None:
    broker.publish(letter(id="often", replays=3), letter(id="twice", replays=2))

    result = dead_letters.run("replay")
    assert result.exit_code == 1
    assert result.stdout == "Replayed 1 of 2 dead letters.\n"
    assert "not replayed: 1 × replayed 3 times already (--force" in result.stderr

    assert dead_letters.run("replay", "--force").exit_code == 0
    replayed = {one.properties.message_id: one.headers["x-replays"] for one in broker.take(FAILED)}
    assert replayed == {"twice": 3, "often": 4}


@pytest.mark.parametrize("replays", [-1, "many", None, 2.5])
def test_invalid_replay_count_is_zero(
    broker: Broker, dead_letters: DeadLetters, replays: object
) -> None:
    made = letter(headers={"x-replays": replays if not isinstance(replays, float) else b"\xff"})
    broker.publish(made)

    assert dead_letters.json("list")["groups"][0]["replays"] == 0
    assert dead_letters.json("replay")["replayed"] == 1
    assert broker.take(FAILED)[0].headers["x-replays"] == 1


def test_letter_without_a_work_queue_is_reported_and_kept(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    unknown = letter(id="unknown")
    headers = unknown.properties["headers"] | {"x-source-queue": "scheduler.device-exploded"}
    broker.publish(
        OutboundMessage(DEAD_LETTER_EXCHANGE, "scheduler.x.failed", b"{}", {"headers": headers}),
        letter(id="known"),
    )

    result = dead_letters.run("replay")

    assert result.exit_code == 1
    assert "1 × scheduler.device-exploded is not a work queue" in result.stderr
    assert broker.ids(FAILED) == ["known"]
    assert broker.depth(DEAD_LETTER_QUEUE) == 1


def test_letter_is_kept_if_its_work_queue_does_not_exist(rabbitmq: RabbitMQ) -> None:
    broker = Broker(rabbitmq.create_vhost("half"))
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        channel = connection.channel()
        declare(channel)
        channel.queue_delete(SUSPENDED)
    broker.publish(letter(id="m-1"), letter("user.suspended", id="m-2"), letter(id="m-3"))

    result = DeadLetters(broker.url).run("replay")

    assert result.exit_code == 1
    assert f"no queue of the virtual host receives {SUSPENDED}" in result.stderr
    assert "(1 replayed before; nothing is lost, run the command again)" in result.stderr
    assert broker.ids(FAILED) == ["m-1"]
    assert broker.ids(DEAD_LETTER_QUEUE) == ["m-2", "m-3"]


@contextmanager
def consumer_that_rejects(broker: Broker, queue: str) -> Iterator[None]:
    """Dead-letter every message of a queue as soon as it arrives."""
    with closing(pika.BlockingConnection(pika.URLParameters(broker.url))) as connection:
        channel = connection.channel()
        channel.basic_consume(
            queue,
            lambda channel, method, _properties, _body: channel.basic_reject(
                method.delivery_tag, requeue=False
            ),
        )
        thread = threading.Thread(target=channel.start_consuming)
        thread.start()
        yield
        connection.add_callback_threadsafe(channel.stop_consuming)
        thread.join()


def test_letter_that_fails_again_is_not_replayed_in_the_same_run(
    broker: Broker, dead_letters: DeadLetters
) -> None:
    ids = numbered(range(40))
    broker.publish(*(letter(id=id_) for id_ in ids))

    with consumer_that_rejects(broker, FAILED):
        for _ in range(3):
            assert dead_letters.json("replay")["replayed"] == 40
            broker.eventually_holds(40, DEAD_LETTER_QUEUE)
        assert dead_letters.run("replay").exit_code == 1

    (group,) = dead_letters.json("list")["groups"]
    assert (group["count"], group["replays"]) == (40, 3)
    assert broker.ids(DEAD_LETTER_QUEUE) == ids
