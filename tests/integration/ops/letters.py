"""Dead letters of the functions and of the broker."""

from __future__ import annotations

from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pika

from operations.dead_letters.letter import REPLAYS_HEADER
from scheduler.messaging.publisher import Publisher
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement
from scheduler.settings import BrokerSettings
from tests.support.events import message
from tests.support.queues import Queues
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from scheduler.messaging.message import Message
    from scheduler.messaging.outbound import OutboundMessage


def letter(
    event_type: str = "device.failed",
    *,
    error: str = "LookupError: a bug",
    failed_at: datetime | None = None,
    replays: int = 0,
    **about: Any,  # noqa: ANN401 - as the function it is for
) -> OutboundMessage:
    """Return the dead letter that a function publishes.

    Args:
        event_type: of the message.
        error: why it failed.
        failed_at: when; now if not given.
        replays: how often an operator has replayed it.
        **about: as for `tests.support.events.message`.
    """
    headers = about.pop("headers", {}) | ({REPLAYS_HEADER: replays} if replays else {})
    return of_message(message(event_type, headers=headers, **about), error, failed_at)


def of_message(failed: Message, error: str, failed_at: datetime | None = None) -> OutboundMessage:
    """Return the dead letter of a message."""
    outcome = Outcome(failed, Verdict.FAILED, error=error)
    made = outbound_message(
        Settled(outcome, Settlement.DEAD_LETTERED), failed_at or datetime.now(UTC)
    )
    assert made
    return made


class Broker(Queues):
    """The queues of a broker, to which a test publishes as well."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self.url = url

    def publish(self, *messages: OutboundMessage) -> None:
        """Publish messages and return when they are in their queues."""
        publisher = Publisher(BrokerSettings.model_validate({"BROKER_URL": self.url}))
        with closing(publisher):
            publisher.publish(messages)

    def ids(self, *queues: str) -> list[str]:
        """Take all messages of the queues and return their ids, in order."""
        return [found.properties.message_id for queue in queues for found in self.take(queue)]

    def reject(self, queue: str) -> None:
        """Reject the first message of a queue without requeueing it."""
        with self._channel() as channel:
            method, _, _ = channel.basic_get(queue)
            channel.basic_reject(method.delivery_tag, requeue=False)

    @contextmanager
    def _channel(self) -> Iterator[BlockingChannel]:
        with closing(pika.BlockingConnection(pika.URLParameters(self.url))) as connection:
            yield connection.channel()

    def eventually_holds(self, count: int, queue: str) -> None:
        """Wait until a number of messages is ready in a queue."""
        eventually(lambda: self.depth(queue) == count, f"{count} messages in {queue}")


def numbered(ids: Iterable[int]) -> list[str]:
    """Return message ids that sort like their numbers."""
    return [f"m-{number:04}" for number in ids]
