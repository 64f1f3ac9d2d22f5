"""Connects and publishes to a broker; its errors become messages for the operator."""

from __future__ import annotations

import os
import ssl
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import pika
from pika import exceptions
from pika.adapters.utils.connection_workflow import AMQPConnectorException
from pydantic import ValidationError

from operations.errors import InvalidInputError, OpsError
from scheduler.credentials import CredentialsUnavailableError
from scheduler.messaging.link import root_cause, send
from scheduler.messaging.odd_headers import accept_odd_headers
from scheduler.messaging.publisher import TIMEOUT, parameters
from scheduler.settings import BrokerSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pika.adapters.blocking_connection import BlockingChannel

    from scheduler.messaging.outbound import OutboundMessage

accept_odd_headers()

_RUNBOOK: Final = " (runbook: Broker away)"


@contextmanager
def connected(broker_url: str) -> Iterator[pika.BlockingConnection]:
    """Connect for the duration of a block.

    At Ctrl-C the connection is not closed: pika may be in any state, and closing could block
    indefinitely. The broker closes the connection when the process has ended.

    The certificate of an amqps broker is verified with the system's certificate authorities, or
    those in the file that the environment variable SSL_CERT_FILE names.

    Raises:
        InvalidInputError: the URL is not an AMQP URL.
        OpsError: the account cannot be read; or the broker cannot be reached, closes the
            connection or refuses an operation.
    """
    settings = _settings(broker_url)
    try:
        where = parameters(settings)
    except ValueError as error:
        raise InvalidInputError(f"the broker URL is invalid: {error}") from None
    except CredentialsUnavailableError as error:
        raise OpsError(f"the broker's account cannot be read: {error}") from None
    try:
        connection = pika.BlockingConnection(where)
        try:
            yield connection
        except KeyboardInterrupt:
            raise
        except BaseException:
            with suppress(exceptions.AMQPError):  # the connection may be broken
                connection.close()
            raise
        connection.close()
    except (exceptions.AMQPError, AMQPConnectorException, OSError) as error:
        raise OpsError(_explain(error, broker_url)) from error


def confirming_channel(connection: pika.BlockingConnection) -> BlockingChannel:
    """Return a channel for `publish_confirmed`."""
    channel = connection.channel()
    channel.confirm_delivery()
    return channel


def publish_confirmed(channel: BlockingChannel, message: OutboundMessage) -> None:
    """Publish a message and return when the broker has confirmed that a queue stored it.

    Raises:
        OpsError: no queue stored the message.
    """
    try:
        with _limited_wait(channel.connection):
            send(channel, message, mandatory=True)
    except exceptions.UnroutableError:
        raise OpsError(
            f"no queue of the virtual host receives {message.routing_key}; check the event type"
            " and that the topology is declared there (deploy the stack; locally: make run)"
        ) from None
    except exceptions.NackError:
        raise OpsError(
            f"the broker refused {message.routing_key} because a queue is full; try again when its"
            " consumers have caught up"
        ) from None


@contextmanager
def _limited_wait(connection: pika.BlockingConnection) -> Iterator[None]:
    """Close the connection after `TIMEOUT` seconds; the block then raises AMQPConnectionError.

    pika waits for a confirm indefinitely, and a quorum queue without a leader never sends one
    (https://github.com/rabbitmq/rabbitmq-server/issues/10070). The timer is the one that pika uses
    for connections that the broker blocks.
    """
    impl = connection._impl  # noqa: SLF001 - pika has no public API for this
    late = exceptions.AMQPConnectionError(f"no confirm within {TIMEOUT:g} s")
    timer = impl._adapter_call_later(TIMEOUT, partial(impl._terminate_stream, late))  # noqa: SLF001 - as above
    try:
        yield
    finally:
        impl._adapter_remove_timeout(timer)  # noqa: SLF001 - as above


def location(broker_url: str) -> str:
    """Return host, port and virtual host of a broker, without its credentials."""
    url = urlsplit(broker_url)
    return f"{url.hostname}:{url.port or ''}{url.path}"


def _settings(broker_url: str) -> BrokerSettings:
    try:
        url = urlsplit(broker_url)
        is_valid = url.scheme in ("amqp", "amqps") and (url.port is None or url.port > 0)
    except ValueError:
        is_valid = False
    if not is_valid:
        raise InvalidInputError(
            "the broker URL must look like amqps://user:password@host:5671/vhost"
        )
    try:
        given = {name: value for name, value in os.environ.items() if value}
        return BrokerSettings.model_validate({**given, "BROKER_URL": broker_url})
    except ValidationError as error:
        raise InvalidInputError(str(error)) from None


def _explain(error: BaseException, broker_url: str) -> str:
    broker = location(broker_url)
    match error:
        case exceptions.ChannelClosedByBroker():
            return f"{broker} refused: {error.reply_text}"
        case exceptions.ProbableAuthenticationError():
            return (
                f"{broker} refused the user name or password (ACCESS_REFUSED); check the URL"
                f"{_RUNBOOK}"
            )
        case exceptions.ProbableAccessDeniedError():
            return (
                f"{broker}: the user has no access to the virtual host"
                f" {urlsplit(broker_url).path}; check the URL and the user's permissions{_RUNBOOK}"
            )
    cause = root_cause(error)
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"the certificate of {broker} does not verify ({cause.verify_message}); if your own"
            " authority issued it, set SSL_CERT_FILE to the authority's certificate"
        )
    why = cause if isinstance(cause, OSError) else str(cause)
    return f"cannot reach the broker at {broker}: {why or type(error).__name__}{_RUNBOOK}"
