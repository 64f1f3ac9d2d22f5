"""Publishes with confirms and ``mandatory``: what returns is in a queue.

A frozen Lambda environment loses its connection without noticing (``is_open`` stays true), so a
publish that meets a dead connection – or one that does not answer – rebuilds it once and tries
again. Publishing twice is harmless: the second copy is recognised by its id.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from scheduler import credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from pika import BlockingConnection
    from pika.adapters.blocking_connection import BlockingChannel

    from scheduler.settings import BrokerSettings

TIMEOUT: Final = 10.0


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to publish; ``properties`` as in `scheduler.messaging.message.Message`."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Mapping[str, Any]


class BrokerUnavailableError(Exception):
    """The broker cannot be reached, or did not take a message."""


class Publisher:
    """One lazily opened connection with confirms. Not for use by several threads."""

    def __init__(self, settings: BrokerSettings, timeout: float = TIMEOUT) -> None:
        self._settings = settings
        self._timeout = timeout
        self._connection: BlockingConnection | None = None
        self._channel: BlockingChannel | None = None

    def publish(self, messages: Iterable[Outbound]) -> None:
        """Publish messages in order and return when the broker has confirmed each.

        Raises:
            BrokerUnavailableError: no connection, or a message was refused or not routed; what
                came before it is published.
        """
        for message in messages:
            self._reliably(
                partial(send, message=message, mandatory=True),
                f"to {message.exchange or 'queue'} {message.routing_key}",
            )

    def close(self) -> None:
        """Close the connection, if there is one, dead or alive."""
        from pika import exceptions  # noqa: PLC0415 - 100 ms that only a failure needs

        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            with suppress(exceptions.AMQPError, OSError), answering(connection, self._timeout):
                connection.close()

    def _reliably(self, action: Callable[[BlockingChannel], None], what: str) -> None:
        """Do something on the channel; on a dead connection a second time, on a new one."""
        from pika import exceptions  # noqa: PLC0415 - likewise

        try:
            try:
                self._act(action)
            except (exceptions.AMQPConnectionError, exceptions.AMQPChannelError):
                self.close()
                self._act(action)
        except _unavailable() as error:
            self.close()
            raise BrokerUnavailableError(
                f"could not publish {what}: {type(error).__name__} {error}"
            ) from error

    def _act(self, action: Callable[[BlockingChannel], None]) -> None:
        from pika import BlockingConnection  # noqa: PLC0415 - likewise

        if self._connection is None:
            # It logs each failure ten times over; ours are raised, and reported once.
            logging.getLogger("pika").setLevel(logging.CRITICAL)
            self._connection = BlockingConnection(parameters(self._settings, self._timeout))
        with answering(self._connection, self._timeout):
            if self._channel is None:
                self._channel = self._connection.channel()
                self._prepare(self._channel)
            action(self._channel)

    def _prepare(self, channel: BlockingChannel) -> None:
        channel.confirm_delivery()


def _unavailable() -> tuple[type[Exception], ...]:
    from pika import exceptions  # noqa: PLC0415 - likewise
    from pika.adapters.utils.connection_workflow import (  # noqa: PLC0415 - likewise
        AMQPConnectorException,
    )

    # The third is raised when a server accepts the connection and then says nothing.
    return (
        exceptions.AMQPError,
        credentials.CredentialsUnavailableError,
        AMQPConnectorException,
        OSError,
    )


@contextmanager
def answering(connection: BlockingConnection, seconds: float) -> Iterator[None]:
    """Hang up when the block takes longer; it then raises AMQPConnectionError.

    pika awaits an answer for ever. A queue without a leader never gives one
    (https://github.com/rabbitmq/rabbitmq-server/issues/10070), nor does a network that forgot the
    connection while the environment was frozen – and a function that its timeout kills blames the
    messages. The timer is the one pika has for connections that the broker blocks.
    """
    from pika.exceptions import AMQPConnectionError  # noqa: PLC0415 - likewise

    if connection.is_closed:
        yield  # and raise at once
        return
    impl = connection._impl  # noqa: SLF001 - pika offers no other way
    late = AMQPConnectionError(f"no answer within {seconds:g} s")
    timer = impl._adapter_call_later(seconds, partial(impl._terminate_stream, late))  # noqa: SLF001
    try:
        yield
    finally:
        impl._adapter_remove_timeout(timer)  # noqa: SLF001


def send(channel: BlockingChannel, message: Outbound, *, mandatory: bool) -> None:
    """Publish one message, to be written to disk, on a channel."""
    from pika import BasicProperties, DeliveryMode  # noqa: PLC0415 - likewise

    properties = BasicProperties(delivery_mode=DeliveryMode.Persistent, **message.properties)
    channel.basic_publish(
        message.exchange, message.routing_key, message.body, properties, mandatory=mandatory
    )


def parameters(settings: BrokerSettings, timeout: float = TIMEOUT) -> Any:  # noqa: ANN401 - pika's type, imported lazily
    """Return pika's connection parameters; amqps verifies the certificate and the host name.

    Args:
        settings: where the broker is.
        timeout: seconds to connect, and to wait for a broker that blocks publishers.
    """
    from pika import URLParameters  # noqa: PLC0415 - likewise

    url = settings.broker_url.get_secret_value()
    if settings.broker_secret_arn:
        url = _with_account(url, credentials.from_secret(settings.broker_secret_arn))
    connection = URLParameters(url)
    connection.socket_timeout = connection.stack_timeout = timeout
    connection.blocked_connection_timeout = timeout
    connection.connection_attempts = 1
    return connection


def _with_account(url: str, account: credentials.Credentials) -> str:
    parts = urlsplit(url)
    user, password = quote(account.user, safe=""), quote(account.password, safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))
