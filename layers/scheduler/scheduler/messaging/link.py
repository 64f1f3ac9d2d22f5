"""A connection that publishes many messages before it awaits their confirms.

pika's `BlockingConnection` awaits the confirm of each message before it sends the next. This module
uses pika's callback-driven `SelectConnection` instead. Its loop runs only inside the methods of
`Link`, so nothing happens on the connection while the execution environment is frozen.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final

from pika import BasicProperties, DeliveryMode, SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosed
from pika.spec import Basic

from scheduler.messaging.outbound import ConfirmWindow, MessageRefusedError, OutboundMessage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pika.adapters.blocking_connection import BlockingChannel
    from pika.channel import Channel
    from pika.connection import Parameters

LOST_ERRORS: Final = (AMQPConnectionError, ChannelClosed)
"""Errors of a connection that was open earlier and has died since."""
REFUSALS: Final = (ChannelClosed,)
"""Errors of a broker that works, such as a missing exchange."""
CONNECTION_ERRORS: Final = (AMQPError, AMQPConnectorException, OSError)
"""Errors of a connection, or of opening one."""


class Link:
    """A connection with one channel in confirm mode."""

    def __init__(self, where: Parameters, timeout: float) -> None:
        """Prepare a connection; `open` opens it.

        Args:
            where: the broker; its ``stack_timeout`` limits the time to connect.
            timeout: seconds to open it, and to close it.
        """
        # pika logs each failure about ten times; ours are raised, and logged once.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._timeout = timeout
        self._failure: BaseException | None = None
        self._window = ConfirmWindow((), 0)
        self._published = 0
        self._channel: Channel | None = None
        self._connection = SelectConnection(where, self._stop, self._fail, self._fail)

    def open(self) -> None:
        """Connect, and open a channel in confirm mode, all within the timeout.

        Raises:
            CONNECTION_ERRORS: the broker is unreachable, refuses the account or does not answer;
                `root_cause` finds the reason in them.
        """
        ends = time.monotonic() + self._timeout
        self._run()  # where.stack_timeout limits it
        self._channel = self._connection.channel(on_open_callback=self._stop)
        self._channel.add_on_close_callback(self._on_channel_closed)
        self._channel.add_on_return_callback(self._on_return)
        self._run(_until(ends))
        self._channel.confirm_delivery(self._on_confirm, self._stop)
        self._run(_until(ends))

    def publish(
        self, messages: Sequence[OutboundMessage], *, mandatory: bool, timeout: float
    ) -> None:
        """Publish messages in order, and return when the broker has confirmed all of them.

        Args:
            messages: at most `MAX_UNCONFIRMED`.
            mandatory: whether a message must be routed to a queue.
            timeout: seconds to wait for the confirms.

        Raises:
            MessageRefusedError: a message was refused or, if ``mandatory``, not routed.
            LOST_ERRORS: the connection is dead, or the broker closed it or the channel.
        """
        self._window = ConfirmWindow(messages, self._published)
        for message in messages:
            send(self._channel, message, mandatory=mandatory)
            self._published += 1
        self._run(timeout)

    @property
    def confirmed_in_order(self) -> int:
        """How many messages of the last `publish`, counted from the first, are confirmed."""
        return self._window.confirmed_in_order

    def close(self) -> None:
        """Close the connection; if it is open, wait for the broker's answer."""
        if self._connection.is_open:
            self._connection.close()
            while not self._connection.is_closed:  # late confirms also stop the loop
                self._loop(self._timeout)
        self._connection.ioloop.close()

    def _run(self, seconds: float | None = None) -> None:
        """Run pika's loop until a callback stops it, and raise what failed."""
        self._loop(seconds)
        if self._failure:
            raise self._failure

    def _loop(self, seconds: float | None) -> None:
        loop = self._connection.ioloop
        timer = loop.call_later(seconds, self._on_timeout) if seconds else None
        try:
            loop.start()
        finally:
            if timer:
                loop.remove_timeout(timer)

    def _stop(self, *_: object) -> None:
        self._connection.ioloop.stop()

    def _fail(self, _source: object, error: BaseException) -> None:
        self._failure = self._failure or error
        self._stop()

    def _on_timeout(self) -> None:
        # pika would wait indefinitely. A queue without a leader never answers
        # (https://github.com/rabbitmq/rabbitmq-server/issues/10070), nor does a network that
        # dropped the connection while the environment was frozen. If Lambda's timeout ended the
        # function, its messages would be suspected. pika terminates connections that stay blocked
        # in the same way.
        if not self._connection.is_closed:
            late = AMQPConnectionError("the broker did not answer in time")
            self._connection._terminate_stream(late)  # noqa: SLF001 - close() would await an answer

    def _on_channel_closed(self, channel: object, error: BaseException) -> None:
        if self._connection.is_open:  # else the connection's own callback has the reason
            self._fail(channel, error)

    def _on_confirm(self, frame: Any) -> None:  # noqa: ANN401 - one of two of pika's methods
        answer = frame.method
        if isinstance(answer, Basic.Nack):
            refused = self._window.unconfirmed(answer.delivery_tag, multiple=answer.multiple)
            if refused:
                self._fail_to_publish(refused[0], "refused by its queue")
            return
        self._window.confirm(answer.delivery_tag, multiple=answer.multiple)
        if self._window.complete:
            self._stop()

    def _on_return(
        self, _channel: object, returned: Basic.Return, properties: BasicProperties, body: bytes
    ) -> None:
        """Fail: the broker returns an unroutable message, and then confirms it nevertheless."""
        named = {"message_id": properties.message_id}
        message = OutboundMessage(returned.exchange, returned.routing_key, body, named)
        self._fail_to_publish(message, f"returned, {returned.reply_text}")

    def _fail_to_publish(self, message: OutboundMessage, why: str) -> None:
        self._fail(self, MessageRefusedError(f"could not publish {message}: {why}"))


def _until(moment: float) -> float:
    return max(moment - time.monotonic(), 0.001)


def send(channel: Channel | BlockingChannel, message: OutboundMessage, *, mandatory: bool) -> None:
    """Publish one persistent message on a channel."""
    properties = BasicProperties(delivery_mode=DeliveryMode.Persistent, **message.properties)
    channel.basic_publish(
        message.exchange, message.routing_key, message.body, properties, mandatory=mandatory
    )


def root_cause(error: BaseException) -> BaseException:
    """Return the innermost error that pika's connection errors wrap."""
    phases = getattr(error, "exceptions", ()) or (getattr(error, "exception", None), *error.args)
    wrapped = next((one for one in phases[::-1] if isinstance(one, BaseException)), None)
    return root_cause(wrapped) if wrapped else error
