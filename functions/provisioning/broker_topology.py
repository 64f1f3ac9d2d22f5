"""Creates the virtual host and declares the topology in it."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from pika import BlockingConnection
from pika.exceptions import ConnectionClosedByBroker, ProbableAccessDeniedError

from provisioning.management import put
from scheduler.messaging.declaration import declare
from scheduler.messaging.publisher import parameters

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_VHOST_START_SECONDS: Final = 15
_ALL_PERMISSIONS: Final = {"configure": ".*", "write": ".*", "read": ".*"}


def declare_topology(settings: ProvisioningSettings) -> None:
    """Declare the topology, in a virtual host that is created if it is missing.

    Raises:
        TopologyConflictError: the broker rejects a declaration; the text says what to do.
        pika.exceptions.AMQPError, OSError: the broker is unreachable or refuses the account.
    """
    account = parameters(settings)
    with _connect(settings, account) as connection:
        declare(connection.channel(), shards=settings.shards)


def _connect(settings: ProvisioningSettings, account: Any) -> BlockingConnection:  # noqa: ANN401 - pika has no types
    try:
        return BlockingConnection(account)
    except (ProbableAccessDeniedError, ConnectionClosedByBroker):
        # Amazon MQ has only the virtual host "/", and AMQP has no method to create another.
        _create_vhost(settings.broker_management_url, account)
        return _connect_when_up(account)


def _connect_when_up(account: Any) -> BlockingConnection:  # noqa: ANN401 - as above
    """Connect to a new virtual host, which each node starts after the HTTP API has answered."""
    for _ in range(_VHOST_START_SECONDS):
        with suppress(ProbableAccessDeniedError, ConnectionClosedByBroker):
            return BlockingConnection(account)
        time.sleep(1)
    return BlockingConnection(account)


def _create_vhost(url: str, account: Any) -> None:  # noqa: ANN401 - as above
    user, vhost = account.credentials.username, account.virtual_host
    put(url, ("vhosts", vhost), {}, account)
    put(url, ("permissions", vhost, user), _ALL_PERMISSIONS, account)
