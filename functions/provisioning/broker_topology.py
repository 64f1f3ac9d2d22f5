"""Creates the virtual host and declares the topology in it."""

from __future__ import annotations

import json
import time
from base64 import b64encode
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from urllib.request import Request, urlopen

from pika import BlockingConnection
from pika.exceptions import ConnectionClosedByBroker, ProbableAccessDeniedError

from scheduler.messaging.declaration import declare
from scheduler.messaging.publisher import parameters

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_HTTP_TIMEOUT: Final = 30
"""Seconds."""
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


def _connect_when_up(account: Any) -> BlockingConnection:  # noqa: ANN401 - likewise
    """Connect to a new virtual host, which each node starts after the HTTP API has answered."""
    for _ in range(_VHOST_START_SECONDS):
        with suppress(ProbableAccessDeniedError, ConnectionClosedByBroker):
            return BlockingConnection(account)
        time.sleep(1)
    return BlockingConnection(account)


def _create_vhost(url: str, account: Any) -> None:  # noqa: ANN401 - likewise
    user, vhost = (
        quote(name, safe="") for name in (account.credentials.username, account.virtual_host)
    )
    _put(f"{url}/api/vhosts/{vhost}", {}, account)
    _put(f"{url}/api/permissions/{vhost}/{user}", _ALL_PERMISSIONS, account)


def _put(url: str, body: dict[str, str], account: Any) -> None:  # noqa: ANN401 - likewise
    login = f"{account.credentials.username}:{account.credentials.password}".encode()
    request = Request(  # noqa: S310 - the template says https
        url,
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Basic {b64encode(login).decode()}",
            "Content-Type": "application/json",
        },
        method="PUT",
    )
    with urlopen(request, timeout=_HTTP_TIMEOUT):  # noqa: S310 - likewise
        pass
