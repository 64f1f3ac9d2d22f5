"""Publishes with confirms: when `Publisher.publish` returns, the broker has stored every message.

All messages are sent before their confirms are awaited, so a hundred messages cost one round trip.
A frozen execution environment can lose its connection unnoticed (``is_open`` stays true). When a
connection is dead or does not answer, the publisher reconnects once and publishes what remains. A
message that is published twice does no harm: the consumer recognises it by its id.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit, urlunsplit

from scheduler import credentials
from scheduler.messaging.outbound import (
    BrokerUnavailableError,
    MessageRefusedError,
    OutboundMessage,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from scheduler.messaging.link import Link
    from scheduler.settings import BrokerSettings

    LostErrors = tuple[type[BaseException], ...]

TIMEOUT: Final = 10.0
"""Seconds."""
MAX_UNCONFIRMED: Final = 256
"""Messages published before their confirms are awaited; limits the memory of pika and broker."""


class Publisher:
    """Publishes on one connection, which is opened on first use. Not thread-safe."""

    def __init__(
        self, settings: BrokerSettings, timeout: float = TIMEOUT, *, mandatory: bool = True
    ) -> None:
        """Prepare; the connection is opened by the first message.

        Args:
            settings: where the broker is.
            timeout: seconds to connect, and to wait for the confirms of the messages sent.
            mandatory: whether a message that no queue receives is a failure. Otherwise it is
                dropped: nobody has subscribed to it.
        """
        self._settings = settings
        self._timeout = timeout
        self._mandatory = mandatory
        self._link: Link | None = None

    def publish(self, messages: Iterable[OutboundMessage]) -> None:
        """Publish messages in order, and return when the broker has confirmed each.

        Raises:
            BrokerUnavailableError: the broker is unreachable.
            MessageRefusedError: a message was refused or not routed. The text names that message;
                others may have been published.
        """
        if outgoing := list(messages):
            self._publish(outgoing)

    def publish_within(self, message: OutboundMessage, seconds: float) -> None:
        """Publish a message, within a number of seconds.

        Raises:
            BrokerUnavailableError: as for `publish`, or it took longer.
        """
        ends = time.monotonic() + seconds
        with self._failing([message]) as lost_errors:
            try:
                self._publish_until(message, ends)
            except lost_errors:
                self.close()
                if time.monotonic() >= ends:
                    raise
                self._publish_until(message, ends)

    def close(self) -> None:
        """Close the connection, if there is one, dead or alive."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    def _publish(self, outgoing: list[OutboundMessage]) -> None:
        """Publish messages; if the connection turns out to be dead, again on a new one."""
        with self._failing(outgoing) as lost_errors:
            try:
                self._publish_windows(outgoing)
            except lost_errors:
                self.close()
                self._publish_windows(outgoing)

    @contextmanager
    def _failing(self, outgoing: Sequence[OutboundMessage]) -> Iterator[LostErrors]:
        """Close the connection after an error, and translate it; pass the errors of a lost one."""
        from scheduler.messaging import link  # noqa: PLC0415 - pika: 100 ms that only this needs

        try:
            yield link.LOST_ERRORS
        except BrokerUnavailableError:
            self.close()
            raise
        except (*link.CONNECTION_ERRORS, credentials.CredentialsUnavailableError) as error:
            self.close()
            cause = link.root_cause(error)
            text = f"could not publish {outgoing[0]}: {type(cause).__name__} {cause}"
            refused = isinstance(cause, link.REFUSALS)
            raise (MessageRefusedError if refused else BrokerUnavailableError)(text) from error

    def _publish_until(self, message: OutboundMessage, ends: float) -> None:
        link = self._link or self._connect(max(ends - time.monotonic(), 0.001))
        left = max(ends - time.monotonic(), 0.001)
        link.publish([message], mandatory=self._mandatory, timeout=left)

    def _publish_windows(self, outgoing: list[OutboundMessage]) -> None:
        """Publish messages window by window, and remove from the list what is confirmed.

        Messages after an unconfirmed one stay in the list even if they are confirmed. They are
        published again, so that the last copies of all messages are in the original order.
        """
        while outgoing:
            link = self._link or self._connect(self._timeout)
            window = outgoing[:MAX_UNCONFIRMED]
            try:
                link.publish(window, mandatory=self._mandatory, timeout=self._timeout)
            finally:
                del outgoing[: link.confirmed_in_order]

    def _connect(self, timeout: float) -> Link:
        from scheduler.messaging.link import Link  # noqa: PLC0415 - as above

        self._link = Link(parameters(self._settings, timeout), timeout)
        self._link.open()
        return self._link


def parameters(settings: BrokerSettings, timeout: float = TIMEOUT) -> Any:  # noqa: ANN401 - pika's type, imported lazily
    """Return pika's connection parameters; amqps verifies certificate and host name.

    Args:
        settings: where the broker is.
        timeout: seconds to connect, and to wait while the broker blocks publishers.

    Raises:
        ValueError: the URL is malformed. The text omits it, because it may hold a password.
        CredentialsUnavailableError: the secret with the account cannot be read.
    """
    from pika import URLParameters  # noqa: PLC0415 - as above

    url = settings.broker_url.get_secret_value()
    if settings.broker_secret_arn:
        url = _with_account(url, credentials.from_secret(settings.broker_secret_arn))
    try:
        connection = URLParameters(url)
    except ValueError:  # its text may be the start of a password with a slash in it
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
