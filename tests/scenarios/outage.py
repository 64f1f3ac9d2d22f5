"""``make outage``: stops a server of the running local platform, and reports what happens."""

from __future__ import annotations

import socket
import time
from contextlib import closing, suppress
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import urlsplit

import httpx
import typer
from pika.exceptions import AMQPError

from local.paths import StateDir
from local.restarts import Outage
from scheduler.messaging.topology import RETRY_DELAY_MS, WORK_QUEUES
from tests.scenarios.platform import Platform
from tests.scenarios.story import Story

if TYPE_CHECKING:
    from collections.abc import Callable

_RECOVERY_SECONDS: Final = 30.0
"""Until a server that may start again answers, and the functions have connected to it."""
_CREATED: Final = 201
_PAYMENTS: Final = next(q for q in WORK_QUEUES if q.event_type == "billing.payment_failed")
_FAILURES: Final = next(q for q in WORK_QUEUES if q.event_type == "device.failed")


class What(StrEnum):
    """The server that is stopped."""

    DATABASE = "database"
    BROKER = "broker"
    AWS = "aws"


_SERVERS: Final = {What.DATABASE: "MariaDB", What.BROKER: "RabbitMQ", What.AWS: "AWS"}
_ENDPOINTS: Final = {What.DATABASE: "database", What.BROKER: "amqp", What.AWS: "aws"}


class OutageStory(Story):
    """A scenario during which a server is unavailable."""

    def __init__(self, platform: Platform, state: StateDir, what: What, seconds: float) -> None:
        super().__init__(platform, print)
        self._state = state
        self._server = _SERVERS[what]
        address = urlsplit(platform.endpoints[_ENDPOINTS[what]])
        self._address = (address.hostname, address.port)
        self.seconds = seconds

    def begin(self) -> None:
        """Stop the server; the platform starts it again when the time is over."""
        self.step(f"stop {self._server} for {self.seconds:.0f} s")
        Outage(self._server, time.time() + self.seconds).write(self._state.outage)
        self.check(f"{self._server} does not answer", lambda: not self._answers())

    def await_return(self) -> None:
        """Wait until the server answers again."""
        self.later(f"{self._server} answers again", self._answers)

    def publishing_fails(self) -> bool:
        """Publish an event; return whether the publisher gets an error."""
        try:
            self.platform.publish("device.failed", deviceId=f"{self.user}-1", reason="Disk full")
        except AMQPError:
            return True
        return False

    def later(self, sentence: str, holds: Callable[[], bool]) -> None:
        """Wait longer than the outage and a retry delay until a statement is true."""
        seconds = self.seconds + RETRY_DELAY_MS / 1000 + _RECOVERY_SECONDS
        self.check(sentence, holds, seconds)

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(self._address, timeout=1):
            return True
        return False


def database_outage(story: OutageStory) -> None:
    """Without the database, messages wait in retry queues and use no attempt."""
    story.given(devices=1)
    (allocation,) = story.allocate(1)
    before = story.platform.depth(_FAILURES.retry_name)
    story.begin()
    story.publish("device.failed", deviceId=allocation["deviceId"], reason="Disk full")
    story.check(
        f"the message waits in {_FAILURES.retry_name}",
        lambda: story.platform.depth(_FAILURES.retry_name) > before,
    )
    story.await_return()
    story.later("the device is released", lambda: len(story.released()) == 1)
    story.later(
        "the user was told once",
        lambda: story.received("device_released", "Disk full", {"websocket"}),
    )


def broker_outage(story: OutageStory) -> None:
    """Without the broker, the API works; publishers must keep their events."""
    story.given(devices=2)
    (allocation,) = story.allocate(1)
    story.begin()
    story.check(
        "a device can still be allocated",
        lambda: story.platform.allocate(story.user).status_code == _CREATED,
    )
    story.check("publishing fails: the publisher must try again later", story.publishing_fails)
    story.await_return()
    story.later("the broker accepts events again", story.platform.reconnect)
    story.publish("device.failed", deviceId=allocation["deviceId"], reason="Disk full")
    story.later("the device is released", lambda: len(story.released()) == 1)


def aws_outage(story: OutageStory) -> None:
    """Without DynamoDB, failed payments wait; everything else continues."""
    story.given(devices=1)
    (allocation,) = story.allocate(1)
    before = story.platform.depth(_PAYMENTS.retry_name)
    story.begin()
    story.publish("billing.payment_failed", userId=story.user, amount=50, reason="no credit")
    story.check(
        f"the payment waits in {_PAYMENTS.retry_name}",
        lambda: story.platform.depth(_PAYMENTS.retry_name) > before,
    )
    story.publish("device.failed", deviceId=allocation["deviceId"], reason="Disk full")
    story.check("the device is released meanwhile", lambda: len(story.released()) == 1)
    story.await_return()
    story.later("the payment is counted", lambda: story.has_notice("billing_alert"))


STORIES: Final = {
    What.DATABASE: database_outage,
    What.BROKER: broker_outage,
    What.AWS: aws_outage,
}


def main(
    what: Annotated[What, typer.Argument(help="The server to stop.")],
    seconds: Annotated[float, typer.Argument(help="How long it is unavailable.", min=1)] = 60,
) -> None:
    """Stop a server of the running platform, publish meanwhile, and show what comes back."""
    state, tell = StateDir.default(), STORIES[what]
    print(f"\n{tell.__doc__}")
    with closing(Platform(state)) as platform:
        story = OutageStory(platform, state, what, seconds)
        try:
            with closing(story):
                tell(story)
        except (AssertionError, httpx.HTTPError, AMQPError) as error:
            print(f"  ✗ {error}")
            raise typer.Exit(1) from None


if __name__ == "__main__":
    typer.run(main)
