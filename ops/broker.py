"""Talks to a broker, and says in an operator's words what went wrong there."""

from __future__ import annotations

import ssl
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pika
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pydantic import ValidationError

from ops.errors import InvalidInputError, OpsError
from scheduler.messaging.link import innermost, send
from scheduler.messaging.publisher import TIMEOUT, Outbound, parameters
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel


@contextmanager
def connected(broker_url: str) -> Iterator[pika.BlockingConnection]:
    """Give a connection for the time of a block.

    At Ctrl-C it is left as it is: pika may be in the middle of anything, and closing could wait for
    ever. The broker closes it when the process is gone.

    A certificate of an amqps broker is verified with the machine's authorities, or those in the
    file that the environment variable SSL_CERT_FILE names.

    Raises:
        InvalidInputError: the URL is no AMQP URL.
        OpsError: the broker is away or goes away, or refuses something.
    """
    settings = _settings(broker_url)
    try:
        where = parameters(settings)
    except ValueError as error:
        raise InvalidInputError(f"the broker URL makes no sense: {error}") from None
    try:
        connection = pika.BlockingConnection(where)
        try:
            yield connection
        except KeyboardInterrupt:
            raise
        except BaseException:
            with suppress(exceptions.AMQPError):  # it may be what led here
                connection.close()
            raise
        connection.close()
    except (exceptions.AMQPError, AMQPConnectorException, OSError) as error:
        raise OpsError(_explain(error, broker_url)) from error


def confirming_channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """Return a channel for `publish`."""
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


def publish(channel: BlockingChannel, message: Outbound) -> None:
    """Publish a message and return when the broker has confirmed that a queue holds it.

    Raises:
        OpsError: no queue took it.
    """
    try:
        with _answering(channel.connection):
            send(channel, message, mandatory=True)
    except exceptions.UnroutableError:
        raise OpsError(
            f"no queue of the virtual host receives {message.routing_key}:"
            " is the topology declared there?"
        ) from None
    except exceptions.NackError:
        raise OpsError(
            f"the broker refused {message.routing_key}: a queue that receives it is full"
        ) from None


@contextmanager
def _answering(connection: pika.BlockingConnection) -> Iterator[None]:
    """Hang up when the block takes longer than `TIMEOUT`; it then raises AMQPConnectionError.

    pika awaits an answer for ever, and a queue without a leader never gives one
    (https://github.com/rabbitmq/rabbitmq-server/issues/10070). The timer is the one pika has for
    connections that the broker blocks.
    """
    impl = connection._impl  # noqa: SLF001 - pika offers no other way
    late = exceptions.AMQPConnectionError(f"no answer within {TIMEOUT:g} s")
    timer = impl._adapter_call_later(TIMEOUT, partial(impl._terminate_stream, late))  # noqa: SLF001
    try:
        yield
    finally:
        impl._adapter_remove_timeout(timer)  # noqa: SLF001


def location(broker_url: str) -> str:
    """Return where a broker is, without the account in its URL."""
    url = urlsplit(broker_url)
    return f"{url.hostname}:{url.port or ''}{url.path}"


def _settings(broker_url: str) -> BrokerSettings:
    try:
        url = urlsplit(broker_url)
        fits = url.scheme in ("amqp", "amqps") and (url.port is None or url.port > 0)
    except ValueError:
        fits = False
    if not fits:
        raise InvalidInputError(
            "the broker URL must look like amqps://user:password@host:5671/vhost"
        )
    try:
        return BrokerSettings.model_validate({"BROKER_URL": broker_url})
    except ValidationError as error:
        raise InvalidInputError(str(error)) from None


def _explain(error: BaseException, broker_url: str) -> str:
    broker = location(broker_url)
    match error:
        case exceptions.ChannelClosedByBroker():
            return f"{broker} refused: {error.reply_text}"
        case exceptions.ProbableAuthenticationError():
            return f"{broker} refused the user name or password"
        case exceptions.ProbableAccessDeniedError():
            return (
                f"{broker} does not let this user into the virtual host {urlsplit(broker_url).path}"
            )
    cause = innermost(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {broker} does not verify ({cause.verify_message}): if it is of an"
            " authority of your own, set SSL_CERT_FILE to the authority's certificate"
        )
    why = cause if isinstance(cause, OSError) else str(cause)
    return f"cannot reach the broker at {broker}: {why or type(error).__name__}"
