"""Talks to a broker, and says in an operator's words what went wrong there."""

from __future__ import annotations

import ssl
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pika
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pydantic import ValidationError

from ops.errors import InvalidInputError, OpsError
from scheduler.messaging.publisher import TIMEOUT, Outbound, answering, parameters, send
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
        with answering(channel.connection, TIMEOUT):
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
    cause = _innermost(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {broker} does not verify ({cause.verify_message}): if it is of an"
            " authority of your own, set SSL_CERT_FILE to the authority's certificate"
        )
    return f"cannot reach the broker at {broker}: {cause or type(error).__name__}"


def _innermost(error: BaseException) -> object:
    """Return what pika's connection errors wrap."""
    wrapped = getattr(error, "exception", None) or next(iter(error.args), None)
    if isinstance(wrapped, BaseException):
        return _innermost(wrapped)
    return error if isinstance(error, OSError) else str(error)
