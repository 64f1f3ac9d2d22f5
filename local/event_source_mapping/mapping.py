"""The event source mapping of one queue: it reads batches and invokes the function.

It promises what Amazon MQ's mapping promises for RabbitMQ and nothing kinder
(lambda/latest/dg/with-mq.html): one invocation at a time, the whole batch acknowledged when the
function returns, the whole batch back in the queue - at once, for ever - when it fails, and a
record over 6 MB dropped (lambda/latest/dg/services-mq-errors.html).
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pika
from pika.exceptions import AMQPError, ConnectionWrongStateError

from local.event_source_mapping.batch import RECORDS_LIMIT, Backlog, Delivery
from local.event_source_mapping.environment import FunctionError, LambdaEnvironment
from local.event_source_mapping.record import event_json, record_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.spec import Basic

_log = logging.getLogger(__name__)

_IDLE_SECONDS: Final = 5.0
_FIRST_BACKOFF: Final = 0.1
_LAST_BACKOFF: Final = 5.0
_MAX_PREFETCH: Final = 65_535
STOP_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Batching:
    """The mapping's settings: records per batch, and seconds the first one may wait for others."""

    size: int = 100
    window: float = 0.5

    @property
    def prefetch(self) -> int:
        """Return how many messages the broker may hand over before any is acknowledged.

        Twice the batch: the next batch arrives while the function works on the present one.
        """
        return min(2 * self.size, _MAX_PREFETCH)


class EventSourceMapping:
    """Consumes one queue in a thread of its own, over a connection of its own."""

    def __init__(
        self,
        broker_url: str,
        queue: str,
        environment: LambdaEnvironment,
        batching: Batching = Batching(),
    ) -> None:
        self._parameters = pika.URLParameters(broker_url)
        self._parameters.client_properties = {"connection_name": f"mapping {queue}"}
        self._vhost = self._parameters.virtual_host
        self._queue = queue
        self._environment = environment
        self._batching = batching
        self._backlog = Backlog(batching.size, batching.window)
        self._backoff = _FIRST_BACKOFF
        self._stopping = threading.Event()
        self._connection: pika.BlockingConnection | None = None
        # One worker: an invocation that outlives its connection delays the next one.
        self._invoker = ThreadPoolExecutor(1, thread_name_prefix=f"invoke-{queue}")
        self._thread = threading.Thread(target=self._run, name=f"mapping-{queue}", daemon=True)

    def start(self) -> None:
        """Begin to consume; returns at once, also while the broker is away."""
        self._thread.start()

    def request_stop(self) -> None:
        """Take no further batch; returns at once, so that many mappings can stop together."""
        self._stopping.set()
        self._wake()

    def stop(self, grace: float = STOP_SECONDS) -> None:
        """Stop consuming and free everything.

        Args:
            grace: seconds a running invocation gets; then it is killed, and its batch is back
                in the queue.
        """
        self.request_stop()
        self._thread.join(grace)
        self._environment.close()
        self._thread.join()
        self._invoker.shutdown()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._consume()
            except Exception as error:  # noqa: BLE001 - a mapping outlives whatever befalls it
                _log.warning("%s: %r; reconnecting in %.1f s", self._queue, error, self._backoff)
                self._stopping.wait(self._backoff)
                self._backoff = min(2 * self._backoff, _LAST_BACKOFF)

    def _consume(self) -> None:
        with self._open_channel() as channel:
            channel.basic_qos(prefetch_count=self._batching.prefetch)
            channel.basic_consume(self._queue, self._on_delivery)
            while not self._stopping.is_set():
                due = self._backlog.seconds_until_due(time.monotonic())
                if due == 0:
                    self._process(channel, self._backlog.take())
                else:
                    self._serve_connection(channel, _IDLE_SECONDS if due is None else due)

    def _process(self, channel: BlockingChannel, batch: list[Delivery]) -> None:
        """Invoke the function with a batch and settle it, answering heartbeats meanwhile."""
        event = event_json(self._queue, self._vhost, (delivery.record for delivery in batch))
        invocation = self._invoker.submit(self._environment.invoke, event)
        invocation.add_done_callback(lambda _: self._wake())
        while not invocation.done():
            self._serve_connection(channel, _IDLE_SECONDS)
        try:
            invocation.result()
        except FunctionError as error:
            _log.warning("%s: %d messages requeued: %s", self._queue, len(batch), error)
            channel.basic_nack(batch[-1].tag, multiple=True, requeue=True)
        else:
            channel.basic_ack(batch[-1].tag, multiple=True)
        self._backoff = _FIRST_BACKOFF

    def _on_delivery(
        self,
        channel: BlockingChannel,
        method: Basic.Deliver,
        properties: BasicProperties,
        body: bytes,
    ) -> None:
        record = record_json(properties, body, redelivered=method.redelivered)
        if len(record) > RECORDS_LIMIT:
            _log.error("%s: dropped a record of %d bytes", self._queue, len(record))
            channel.basic_ack(method.delivery_tag)
            return
        self._backlog.add(Delivery(method.delivery_tag, record, time.monotonic()))

    @contextlib.contextmanager
    def _open_channel(self) -> Iterator[BlockingChannel]:
        self._backlog.clear()
        connection = pika.BlockingConnection(self._parameters)
        self._connection = connection
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(AMQPError):
                connection.close()

    def _serve_connection(self, channel: BlockingChannel, limit: float) -> None:
        """Let pika work until something happens, at most `limit` seconds."""
        channel.connection.process_data_events(limit)
        # pika closes a channel, or drops a cancelled consumer, without an exception.
        if not channel.is_open or not channel.consumer_tags:
            raise AMQPError("the broker ended the consumer")

    def _wake(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(ConnectionWrongStateError):
                self._connection.add_callback_threadsafe(lambda: None)
