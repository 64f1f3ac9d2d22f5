"""Publishes with confirms: what returns is in a queue.

All messages are sent, then the confirms of all awaited: a hundred cost one round trip, not a
hundred. A frozen Lambda environment loses its connection without noticing (``is_open`` stays true),
so a publish that meets a dead connection – or one that does not answer – rebuilds it once and
publishes the rest again. Publishing twice is harmless: the second copy is recognised by its id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from scheduler import credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from scheduler.messaging.link import Link
    from scheduler.settings import BrokerSettings

TIMEOUT: Final = 10.0
WINDOW: Final = 256
"""How many messages may be unconfirmed at once; bounds what pika and the broker must keep."""


@dataclass(frozen=True, slots=True)
class Outbound:
    """A message to publish; ``properties`` as in `scheduler.messaging.message.Message`."""

    exchange: str
    routing_key: str
    body: bytes
    properties: Mapping[str, Any]

    def __str__(self) -> str:
        """Return what to call it in a log."""
        id_ = self.properties.get("message_id") or "a message"
        return f"{id_} to {self.exchange or 'queue'} {self.routing_key}"


class BrokerUnavailableError(Exception):
    """The broker cannot be reached, or did not take a message."""


class Publisher:
    """One lazily opened connection with confirms. Not for use by several threads."""

    def __init__(
        self, settings: BrokerSettings, timeout: float = TIMEOUT, *, mandatory: bool = True
    ) -> None:
        """Prepare; nothing is opened before something is published.

        Args:
            settings: where the broker is.
            timeout: seconds to connect, and for the broker to confirm what is under way.
            mandatory: whether a message that no queue is bound for is a failure. Events that are
                for whoever wants to know, which may be nobody, are dropped then.
        """
        self._settings = settings
        self._timeout = timeout
        self._mandatory = mandatory
        self._link: Link | None = None

    def publish(self, messages: Iterable[Outbound]) -> None:
        """Publish messages in order and return when the broker has confirmed each.

        Raises:
            BrokerUnavailableError: no connection, or a message was refused or not routed; it is
                named, and those around it may be published.
        """
        if outgoing := list(messages):
            self._reliably(outgoing)

    def close(self) -> None:
        """Close the connection, if there is one, dead or alive."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _reliably(self, outgoing: list[Outbound]) -> None:
        """Deliver messages; on a connection that turns out dead a second time, on a new one."""
        from scheduler.messaging import link  # noqa: PLC0415 - pika: 100 ms that only this needs

        try:
            try:
                self._deliver(outgoing)
            except link.LOST:
                self.close()
                self._deliver(outgoing)
        except BrokerUnavailableError:
            self.close()
            raise
        except (*link.FAILURES, credentials.CredentialsUnavailableError) as error:
            self.close()
            cause = link.innermost(error)
            text = f"could not publish {outgoing[0]}: {type(cause).__name__} {cause}"
            raise BrokerUnavailableError(text) from error

    def _deliver(self, outgoing: list[Outbound]) -> None:
        """Publish messages window by window, and drop from the list what was confirmed.

        What follows an unconfirmed message stays in the list, confirmed or not: published again,
        the last of all copies are in the order of the first.
        """
        while outgoing:
            link = self._link or self._connect()
            try:
                link.publish(outgoing[:WINDOW], mandatory=self._mandatory)
            finally:
                del outgoing[: link.confirmed_in_order]

    def _connect(self) -> Link:
        from scheduler.messaging.link import Link  # noqa: PLC0415 - likewise

        self._link = Link(parameters(self._settings, self._timeout), self._timeout)
        self._link.open()
        return self._link


def parameters(settings: BrokerSettings, timeout: float = TIMEOUT) -> Any:  # noqa: ANN401 - pika's type, imported lazily
    """Return pika's connection parameters; amqps verifies the certificate and the host name.

    Args:
        settings: where the broker is.
        timeout: seconds to connect, and to wait for a broker that blocks publishers.

    Raises:
        ValueError: the URL cannot be read. The message leaves it out, since it may hold a password.
    """
    from pika import URLParameters  # noqa: PLC0415 - likewise

    url = settings.broker_url.get_secret_value()
    if settings.broker_secret_arn:
        url = _with_account(url, credentials.from_secret(settings.broker_secret_arn))
    try:
        connection = URLParameters(url)
    except ValueError:  # its text would be the beginning of a password with a slash in it
        raise ValueError(
            "BROKER_URL must look like amqps://user:password@host:port/vhost, percent-encoded"
        ) from None
    connection.socket_timeout = connection.stack_timeout = timeout
    connection.blocked_connection_timeout = timeout
    connection.connection_attempts = 1
    return connection


def _with_account(url: str, account: credentials.Credentials) -> str:
    parts = urlsplit(url)
    user, password = quote(account.user, safe=""), quote(account.password, safe="")
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.netloc.rpartition('@')[2]}"))
