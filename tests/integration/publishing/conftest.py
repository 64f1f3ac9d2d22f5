"""A publisher behind a line on which a test sees every message, and a queue of its own."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pika
import pytest

from scheduler.messaging.publisher import Outbound, Publisher
from scheduler.settings import BrokerSettings
from tests.integration.local.proxy import Proxy
from tests.support.queues import Queues

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from local.servers.rabbitmq import RabbitMQ

QUEUE: Final = "publishing"
_MARK: Final = b"<body "


def messages(count: int, queue: str = QUEUE) -> list[Outbound]:
    """Return numbered messages for a queue."""
    return [
        Outbound("", queue, _MARK + b"%04d>" % n, {"message_id": f"m-{n:04}"}) for n in range(count)
    ]


class Line(Proxy):
    """A line to the broker that counts the messages sent over it.

    ``react`` is called with their number when more were sent, before they are forwarded.
    """

    def __init__(self, target: int) -> None:
        super().__init__(target, self._count)
        self._stream = b""
        self.react: Callable[[int], object] = lambda _: None

    @property
    def messages(self) -> int:
        return self._stream.count(_MARK)

    def _count(self, data: bytes) -> None:
        before = self.messages
        self._stream += data
        if self.messages > before:
            self.react(self.messages)


@pytest.fixture
def line(rabbitmq: RabbitMQ) -> Iterator[Line]:
    with closing(Line(rabbitmq.ports.amqp)) as made:
        yield made


@pytest.fixture
def publisher(line: Line, broker_url: str) -> Iterator[Publisher]:
    settings = BrokerSettings.model_validate({"BROKER_URL": line.before(broker_url)})
    with closing(Publisher(settings, timeout=5)) as made:
        yield made


@pytest.fixture
def channel(broker_url: str) -> Iterator[BlockingChannel]:
    with closing(pika.BlockingConnection(pika.URLParameters(broker_url))) as connection:
        yield connection.channel()


@pytest.fixture
def queue(broker_url: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return a durable queue that is there during the test; of another kind if so parametrized."""
    kind = {"x-queue-type": getattr(request, "param", "quorum")}
    _with_channel(broker_url, "queue_declare", durable=True, arguments=kind)
    yield QUEUE
    _with_channel(broker_url, "queue_delete")


@pytest.fixture
def arrived(broker_url: str, queue: str) -> Callable[[], list[str]]:
    """Return a function that takes the ids of what lies in the queue, in their order."""
    return lambda: [one.properties.message_id for one in Queues(broker_url).take(queue)]


def _with_channel(url: str, method: str, **arguments: Any) -> None:  # noqa: ANN401 - pika's
    with closing(pika.BlockingConnection(pika.URLParameters(url))) as connection:
        getattr(connection.channel(), method)(QUEUE, **arguments)
