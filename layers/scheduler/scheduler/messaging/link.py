"""A connection to the broker on which many messages are under way at once.

pika's blocking connection awaits the confirm of a message before it sends the next. This one is
pika's other connection, driven by callbacks, whose loop runs only while somebody waits for it: in
between – while the execution environment is frozen – nothing happens on it.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from pika import BasicProperties, DeliveryMode, SelectConnection
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pika.exceptions import AMQPConnectionError, AMQPError, ChannelClosed
from pika.spec import Basic

from scheduler.messaging.confirms import Window
from scheduler.messaging.publisher import BrokerUnavailableError, Outbound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pika.adapters.blocking_connection import BlockingChannel
    from pika.channel import Channel
    from pika.connection import Parameters

LOST: Final = (AMQPConnectionError, ChannelClosed)
"""What a connection fails with that was made long ago and has died since."""
FAILURES: Final = (AMQPError, AMQPConnectorException, OSError)
"""What a connection, or making one, fails with."""


class Link:
    """A connection with one channel, whose broker confirms what it has taken."""

    def __init__(self, where: Parameters, timeout: float) -> None:
        """Prepare a connection; `open` makes it.

        Args:
            where: the broker; its ``stack_timeout`` bounds connecting.
            timeout: seconds until a broker that does not answer is given up.
        """
        # It logs each failure ten times over; ours are raised, and reported once.
        logging.getLogger("pika").setLevel(logging.CRITICAL)
        self._timeout = timeout
        self._failure: BaseException | None = None
        self._window = Window((), 0)
        self._published = 0
        self._channel: Channel | None = None
        self._connection = SelectConnection(where, self._done, self._fail, self._fail)

    def open(self) -> None:
        """Connect, and open a channel in confirm mode.

        Raises:
            FAILURES: the broker cannot be reached, refuses the account or does not answer; see
                `innermost`.
        """
        self._await()  # where.stack_timeout bounds it
        self._channel = self._connection.channel(on_open_callback=self._done)
        self._channel.add_on_close_callback(self._on_channel_closed)
        self._channel.add_on_return_callback(self._on_return)
        self._await(self._timeout)
        self._channel.confirm_delivery(self._on_confirm, self._done)
        self._await(self._timeout)

    def publish(self, messages: Sequence[Outbound], *, mandatory: bool) -> None:
        """Publish messages in order and return when the broker has confirmed all of them.

        Raises:
            BrokerUnavailableError: a message was refused or, if ``mandatory``, not routed.
            LOST: the connection is dead, or the broker closed it or the channel.
        """
        self._window = Window(messages, self._published)
        for message in messages:
            send(self._channel, message, mandatory=mandatory)
            self._published += 1
        self._await(self._timeout)

    @property
    def confirmed_in_order(self) -> int:
        """How many of the messages published last, from the first on, the broker has confirmed."""
        return self._window.confirmed_in_order

    def close(self) -> None:
        """Hang up, and wait until the other side has heard it if it still listens."""
        if self._connection.is_open:
            self._connection.close()
            while not self._connection.is_closed:  # confirms that come meanwhile stop the loop, too
                self._loop(self._timeout)
        self._connection.ioloop.close()

    def _await(self, seconds: float | None = None) -> None:
        """Let pika work until it is done, and raise what failed."""
        self._loop(seconds)
        if self._failure:
            raise self._failure

    def _loop(self, seconds: float | None) -> None:
        loop = self._connection.ioloop
        timer = loop.call_later(seconds, self._on_silence) if seconds else None
        try:
            loop.start()
        finally:
            if timer:
                loop.remove_timeout(timer)

    def _done(self, *_: object) -> None:
        self._connection.ioloop.stop()

    def _fail(self, _whose: object, error: BaseException) -> None:
        self._failure = self._failure or error
        self._done()

    def _on_silence(self) -> None:
        # pika would wait for ever. A queue without a leader never answers
        # (https://github.com/rabbitmq/rabbitmq-server/issues/10070), nor does a network that forgot
        # the connection while the environment was frozen – and a function that its timeout kills
        # blames the messages. pika hangs up like this when the broker blocks a connection too long.
        if not self._connection.is_closed:
            late = AMQPConnectionError(f"no answer within {self._timeout:g} s")
            self._connection._terminate_stream(late)  # noqa: SLF001 - close() would await an answer

    def _on_channel_closed(self, channel: object, error: BaseException) -> None:
        if self._connection.is_open:  # else the connection's own callback knows why
            self._fail(channel, error)

    def _on_confirm(self, frame: Any) -> None:  # noqa: ANN401 - one of two of pika's methods
        answer = frame.method
        if isinstance(answer, Basic.Nack):
            refused = self._window.unconfirmed(answer.delivery_tag, multiple=answer.multiple)
            if refused:
                self._not_taken(refused[0], "refused by a queue that should hold it")
            return
        self._window.confirm(answer.delivery_tag, multiple=answer.multiple)
        if self._window.complete:
            self._done()

    def _on_return(
        self, _channel: object, returned: Basic.Return, properties: BasicProperties, body: bytes
    ) -> None:
        """Fail; the broker confirms a message that no queue takes as well, afterwards."""
        named = {"message_id": properties.message_id}
        message = Outbound(returned.exchange, returned.routing_key, body, named)
        self._not_taken(message, f"returned, {returned.reply_text}")

    def _not_taken(self, message: Outbound, why: str) -> None:
        self._fail(self, BrokerUnavailableError(f"could not publish {message}: {why}"))


def send(channel: Channel | BlockingChannel, message: Outbound, *, mandatory: bool) -> None:
    """Publish one message, to be written to disk, on a channel."""
    properties = BasicProperties(delivery_mode=DeliveryMode.Persistent, **message.properties)
    channel.basic_publish(
        message.exchange, message.routing_key, message.body, properties, mandatory=mandatory
    )


def innermost(error: BaseException) -> BaseException:
    """Return what pika's errors of connecting wrap."""
    phases = getattr(error, "exceptions", ()) or (getattr(error, "exception", None), *error.args)
    wrapped = next((one for one in phases[::-1] if isinstance(one, BaseException)), None)
    return innermost(wrapped) if wrapped else error
