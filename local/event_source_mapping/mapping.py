"""The event source mapping of one queue: reads batches and invokes the function.

It behaves like Amazon MQ's mapping for RabbitMQ, without improving on it
(lambda/latest/dg/with-mq.html): one invocation at a time; the whole batch is acknowledged when the
function returns; the whole batch is requeued, immediately and without limit, when the function
fails; and a record over 6 MB is dropped (lambda/latest/dg/services-mq-errors.html).
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

from local.event_source_mapping.batch import RECORDS_LIMIT, BatchQueue, DeliveredRecord
from local.event_source_mapping.record import event_json, record_json
from local.lambda_runtime.environment import FunctionError, LambdaEnvironment
from scheduler.messaging.odd_headers import accept_odd_headers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika import BasicProperties
    from pika.adapters.blocking_connection import BlockingChannel
    from pika.spec import Basic

accept_odd_headers()

_log = logging.getLogger(__name__)

STOP_GRACE_SECONDS: Final = 10.0
"""How long a running invocation may take to finish when its mapping stops."""

_IDLE_SECONDS: Final = 5.0
_MIN_BACKOFF_SECONDS: Final = 0.1
_MAX_BACKOFF_SECONDS: Final = 5.0
_MAX_PREFETCH: Final = 65_535


@dataclass(frozen=True, slots=True)
class Batching:
    """The mapping's settings: records per batch, and the batching window in seconds."""

    size: int = 100
    window: float = 0.5

    @property
    def prefetch(self) -> int:
        """Return how many unacknowledged messages the broker may deliver.

        Twice the batch size: the next batch arrives while the function processes the current one.
        """
        return min(2 * self.size, _MAX_PREFETCH)


class EventSourceMapping:
    """Consumes one queue, in its own thread and over its own connection."""

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
        self._waiting = BatchQueue(batching.size, batching.window)
        self._backoff = _MIN_BACKOFF_SECONDS
        self._stopping = threading.Event()
        self._connection: pika.BlockingConnection | None = None
        # One worker, so that an invocation that outlives its connection delays the next one.
        self._invoker = ThreadPoolExecutor(1, thread_name_prefix=f"invoke-{queue}")
        self._thread = threading.Thread(target=self._run, name=f"mapping-{queue}", daemon=True)

    def start(self) -> None:
        """Start consuming; returns at once, even if the broker cannot be reached."""
        self._thread.start()

    def request_stop(self) -> None:
        """Start no further batch; returns at once, so that many mappings can stop together."""
        self._stopping.set()
        self._wake()

    def stop(self, grace: float = STOP_GRACE_SECONDS) -> None:
        """Stop consuming and close the connection and the environment.

        Args:
            grace: seconds after which a running invocation is killed; its batch then returns
                to the queue.
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
            except Exception as error:  # noqa: BLE001 - a mapping survives any error
                _log.warning("%s: %r; reconnecting in %.1f s", self._queue, error, self._backoff)
                self._stopping.wait(self._backoff)
                self._backoff = min(2 * self._backoff, _MAX_BACKOFF_SECONDS)

    def _consume(self) -> None:
        with self._open_channel() as channel:
            channel.basic_qos(prefetch_count=self._batching.prefetch)
            channel.basic_consume(self._queue, self._on_delivery)
            while not self._stopping.is_set():
                due = self._waiting.seconds_until_due(time.monotonic())
                if due == 0:
                    self._process(channel, self._waiting.take())
                else:
                    self._serve_connection(channel, _IDLE_SECONDS if due is None else due)

    def _process(self, channel: BlockingChannel, batch: list[DeliveredRecord]) -> None:
        """Invoke the function with a batch and settle it, answering heartbeats meanwhile."""
        event = event_json(self._queue, self._vhost, (record.json for record in batch))
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
        self._backoff = _MIN_BACKOFF_SECONDS

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
        self._waiting.add(DeliveredRecord(method.delivery_tag, record, time.monotonic()))

    @contextlib.contextmanager
    def _open_channel(self) -> Iterator[BlockingChannel]:
        self._waiting.clear()
        connection = pika.BlockingConnection(self._parameters)
        self._connection = connection
        try:
            yield connection.channel()
        finally:
            with contextlib.suppress(AMQPError):
                connection.close()

    def _serve_connection(self, channel: BlockingChannel, limit: float) -> None:
        """Let pika process I/O until something happens, for at most `limit` seconds."""
        channel.connection.process_data_events(limit)
        # pika raises no exception when it closes a channel or drops a cancelled consumer.
        if not channel.is_open or not channel.consumer_tags:
            raise AMQPError("the broker cancelled the consumer")

    def _wake(self) -> None:
        if self._connection is not None:
            with contextlib.suppress(ConnectionWrongStateError):
                self._connection.add_callback_threadsafe(lambda: None)
