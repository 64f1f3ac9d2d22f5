"""When a commit nudges the dispatcher."""

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
    from scheduler.messaging.message import Message
    from tests.support.store import Store

HANDLERS = ("device_events", "user_events", "billing_events")


@pytest.mark.parametrize(
    ("event", "nudges"),
    [
        (message("device.failed"), 1),  # a notification and an outgoing event
        (message("user.deleted"), 1),  # an outgoing event only
        (message("billing.balance_low"), 1),
        (message("user.activated"), 0),
        (message("device.failed", deviceId="nobody's"), 0),
        (message("device.failed", body=b"not JSON"), 0),
    ],
)
def test_commit_with_notifications_or_outgoing_events_sends_a_nudge(
    database_url: str, broker_url: str, store: Store, event: Message, nudges: int
) -> None:
    store.seed(world(user(), held("d1")))

    with Functions(database_url, broker_url) as functions:
        functions.handle(event)

    found = Queues(broker_url).take(NOTIFICATION_QUEUE)
    assert [one.body for one in found] == [b"{}"] * nudges
    assert all(one.properties.expiration == "60000" for one in found)


def test_batch_sends_one_nudge(database_url: str, broker_url: str, store: Store) -> None:
    devices = [f"d{n}" for n in range(20)]
    store.seed(world(user(), *map(held, devices)))

    with Functions(database_url, broker_url) as functions:
        functions.handle(*[message("device.failed", deviceId=device) for device in devices])

    assert Queues(broker_url).depth(NOTIFICATION_QUEUE) == 1


def test_without_broker_the_batch_still_succeeds(database_url: str, store: Store) -> None:
    store.seed(world(user(), held("d1")))

    with Functions(database_url, NOWHERE) as functions:
        assert functions.handle(message("device.failed")) == {"success": 1}


class _UnavailablePublisher(Publisher):
    """A publisher whose broker is unavailable until ``available`` is set."""

    def __init__(self) -> None:
        super().__init__(BrokerSettings.model_validate({"BROKER_URL": NOWHERE}))
        self.attempts = 0
        self.available = False

    def publish_within(self, message: OutboundMessage, seconds: float) -> None:
        assert message
        assert seconds <= 1
        self.attempts += 1
        if not self.available:
            raise BrokerUnavailableError("unavailable")


def test_after_a_failure_no_nudge_is_sent_for_30_seconds() -> None:
    publisher, seconds = _UnavailablePublisher(), 100.0
    nudge = Nudge(publisher, lambda: seconds)

    nudge.send()
    nudge.send()
    seconds += 29
    nudge.send()
    assert publisher.attempts == 1

    seconds += 1
    publisher.available = True
    nudge.send()
    nudge.send()
    assert publisher.attempts == 3


@pytest.mark.parametrize("package", HANDLERS)
def test_cold_start_does_not_import_pika(package: str) -> None:
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
