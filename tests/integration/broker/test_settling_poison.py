"""A message that kills its consumer becomes a dead letter; other messages are not affected."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from local.event_source_mapping import Mappings
from local.event_source_mapping.mapping import Batching, EventSourceMapping
from local.lambda_runtime.environment import LambdaEnvironment
from local.lambda_runtime.functions import Function
from local.paths import ROOT
from scheduler.messaging.topology import DEAD_LETTER_QUEUE
from tests.integration.broker.hops import QUEUES
from tests.integration.broker.poisonous import EXITS, HANGS
from tests.support.together import eventually
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
DEVICES = ("d1", "d2", "d3", "d4", "d5")
ROOTS = (ROOT / "functions", ROOT / "layers" / "scheduler", ROOT)


@pytest.fixture
def poison_file(tmp_path: Path) -> Path:
    return tmp_path / "poison"


@contextmanager
def _running(
    store: Store, vhost_url: str, folder: Path, poison_file: Path, deed: str
) -> Iterator[None]:
    function = Function(
        name="device-events",
        handler="tests.integration.broker.poisonous.handler",
        variables={
            "DATABASE_URL": store.settings.database_url.get_secret_value(),
            "BROKER_URL": vhost_url,
            "POISON_FILE": str(poison_file),
        },
        log_dir=folder,
        timeout_seconds=3 if deed == HANGS else 60,
        import_roots=ROOTS,
    )
    mapping = EventSourceMapping(
        vhost_url, QUEUES[FAILED].name, LambdaEnvironment(function, "log"), Batching(100, 0.2)
    )
    with Mappings([mapping]):
        yield


@pytest.mark.parametrize("deed", [EXITS, HANGS])
def test_killer_is_a_dead_letter_after_its_fourth_delivery(
    hops: Hops, store: Store, vhost_url: str, tmp_path: Path, poison_file: Path, deed: str
) -> None:
    store.seed(world(*(held(device, by=f"u-{device}") for device in (*DEVICES, "later"))))
    for device in DEVICES:
        hops.publish(FAILED, deviceId=device)
        if device == "d3":
            hops.publish(FAILED, deviceId="killer", reason=deed, properties={"message_id": "bad"})

    with _running(store, vhost_url, tmp_path, poison_file, deed):
        eventually(lambda: hops.depth(DEAD_LETTER_QUEUE) == 1, "the killer is a dead letter")
        hops.publish(FAILED, deviceId="later")
        eventually(lambda: len(store.rows(_RELEASED)) == 6, "all neighbours are released")

    # It was processed three times; the fourth delivery was settled unprocessed.
    assert poison_file.read_text().splitlines() == ["killer"] * 3
    (letter,) = hops.dead_letters()
    assert letter.headers["x-error"] == "killed its consumer"
    assert letter.properties.message_id == "bad"
    assert letter.headers["x-source-queue"] == QUEUES[FAILED].name
    assert store.rows("SELECT COUNT(*), COUNT(DISTINCT user_id) FROM notifications") == [(6, 6)]
    assert store.rows("SELECT COUNT(*) FROM outgoing_events") == [(6,)]
    assert store.rows("SELECT COUNT(*) FROM delivery_attempts") == [(0,)]
    assert hops.unsettled() == 0


def test_several_killers_in_a_batch_are_dead_letters_and_the_rest_is_applied(
    hops: Hops, store: Store, vhost_url: str, tmp_path: Path, poison_file: Path
) -> None:
    store.seed(world(*(held(device, by=f"u-{device}") for device in DEVICES)))
    for number in (1, 2, 3):
        properties = {"message_id": f"bad-{number}"}
        hops.publish(FAILED, deviceId=f"killer-{number}", reason=EXITS, properties=properties)
    for device in DEVICES:
        hops.publish(FAILED, deviceId=device)

    with _running(store, vhost_url, tmp_path, poison_file, EXITS):
        eventually(lambda: len(store.rows(_RELEASED)) == 5, "all neighbours are released")
        eventually(lambda: hops.depth(DEAD_LETTER_QUEUE) == 3, "all killers are dead letters")

    ids = sorted(letter.properties.message_id for letter in hops.dead_letters())
    assert ids == ["bad-1", "bad-2", "bad-3"]
    assert store.rows("SELECT COUNT(*) FROM delivery_attempts") == [(0,)]
    assert hops.unsettled() == 0


_RELEASED = "SELECT id FROM allocations WHERE status = 'RELEASED'"


def test_message_that_is_returned_a_hundred_times_stays_in_its_queue(hops: Hops) -> None:
    """A batch is returned for as long as the broker refuses what one of its messages needs."""
    hops.publish(FAILED, deviceId="d1")

    for _ in range(101):
        while (method := hops.channel.basic_get(QUEUES[FAILED].name)[0]) is None:
            pass  # a returned message is available after a moment
        hops.channel.basic_nack(method.delivery_tag, requeue=True)

    eventually(lambda: hops.depth(QUEUES[FAILED].name) == 1, "the message is back")
    assert hops.dead_letters() == []
