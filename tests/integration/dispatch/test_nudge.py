"""Who wakes the dispatcher, and when not."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from scheduler.messaging.nudge import Nudge
from scheduler.messaging.outbound import BrokerUnavailableError, OutboundMessage
from scheduler.messaging.publisher import Publisher
from scheduler.messaging.topology import NOTIFICATION_QUEUE
from scheduler.settings import BrokerSettings
from tests.support.events import message
from tests.support.functions import NOWHERE, Functions
from tests.support.queues import Queues
from tests.support.world import held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterable

    from scheduler.messaging.message import Message
    from tests.support.store import Store

HANDLERS = ("device_events", "user_events", "billing_events")


@pytest.mark.parametrize(
    ("event", "nudges"),
    [
        (message("device.failed"), 1),  # somebody is told, and an event goes out
        (message("user.deleted"), 1),  # nobody is left to be told, but the event goes out
        (message("billing.balance_low"), 1),
        (message("user.activated"), 0),
        (message("device.failed", deviceId="nobody's"), 0),
        (message("device.failed", body=b"no JSON"), 0),
    ],
)
def test_a_commit_that_left_something_to_tell_wakes_the_dispatcher(
    database_url: str, broker_url: str, store: Store, event: Message, nudges: int
) -> None:
    store.seed(world(user(), held("d1")))

    with Functions(database_url, broker_url) as functions:
        functions.handle(event)

    found = Queues(broker_url).take(NOTIFICATION_QUEUE)
    assert [one.body for one in found] == [b"{}"] * nudges
    assert all(one.properties.expiration == "60000" for one in found)


def test_a_batch_wakes_it_once(database_url: str, broker_url: str, store: Store) -> None:
    devices = [f"d{n}" for n in range(20)]
    store.seed(world(user(), *map(held, devices)))

    with Functions(database_url, broker_url) as functions:
        functions.handle(*[message("device.failed", deviceId=device) for device in devices])

    assert Queues(broker_url).depth(NOTIFICATION_QUEUE) == 1


def test_without_broker_the_batch_is_done_all_the_same(database_url: str, store: Store) -> None:
    store.seed(world(user(), held("d1")))

    with Functions(database_url, NOWHERE) as functions:
        assert functions.handle(message("device.failed")) == {"success": 1}


class _Away(Publisher):
    """A publisher whose broker is away."""

    def __init__(self) -> None:
        super().__init__(BrokerSettings.model_validate({"BROKER_URL": NOWHERE}))
        self.tries = 0
        self.is_back = False

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        assert list(messages)
        self.tries += 1
        if not self.is_back:
            raise BrokerUnavailableError("away")


def test_after_a_failure_no_batch_waits_for_the_broker_for_half_a_minute() -> None:
    publisher, seconds = _Away(), 100.0
    nudge = Nudge(publisher, lambda: seconds)

    nudge.send()
    nudge.send()
    seconds += 29
    nudge.send()
    assert publisher.tries == 1

    seconds += 1
    publisher.is_back = True
    nudge.send()
    nudge.send()
    assert publisher.tries == 3


@pytest.mark.parametrize("package", HANDLERS)
def test_a_cold_start_does_not_load_pika(package: str) -> None:
    source = f"import sys, {package}.app; sys.exit('pika' in sys.modules)"
    variables = {
        "DATABASE_URL": "mysql://nobody@127.0.0.1:1/nothing",
        "BROKER_URL": NOWHERE,
        "PAYMENT_FAILURES_TABLE": "payment-failures",
        "AWS_DEFAULT_REGION": "us-east-1",
    }

    done = subprocess.run(
        [sys.executable, "-c", source],
        env={"PYTHONPATH": os.pathsep.join(sys.path), **variables},
        check=False,
    )

    assert done.returncode == 0
