"""Creates the accounts with which the functions use the broker; none is an administrator."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from provisioning.management import put
from scheduler import credentials
from scheduler.messaging.publisher import parameters
from scheduler.messaging.topology import DEAD_LETTER_QUEUE, EVENTS_EXCHANGE

if TYPE_CHECKING:
    from provisioning.settings import ProvisioningSettings

_NOTHING: Final = "^$"
_DEFAULT_EXCHANGE: Final = "amq.default"
"""Its name in permissions: https://www.rabbitmq.com/docs/access-control."""

_CONSUMER: Final = {"configure": ".*", "write": ".*", "read": ".*"}
"""Everything in the virtual host: AWS does not document what the pollers of a mapping need."""

_PUBLISHER: Final = {
    "configure": _NOTHING,
    "write": f"^({re.escape(EVENTS_EXCHANGE)}|{re.escape(_DEFAULT_EXCHANGE)})$",
    "read": _NOTHING,
}
"""Outgoing events, and nudges to the queue of the dispatcher by the default exchange.

Measuring the depth of a queue, which is a passive declaration, needs no permission.
"""

_OPERATOR: Final = {
    "configure": _NOTHING,
    "write": f"^({re.escape(EVENTS_EXCHANGE)}|{re.escape(_DEFAULT_EXCHANGE)})$",
    "read": f"^{re.escape(DEAD_LETTER_QUEUE)}$",
}
"""Events, replays to work queues by the default exchange, and the dead letters.

Its tag lets it read the figures of the queues from RabbitMQ's HTTP API, and nothing else.
"""


def create_accounts(settings: ProvisioningSettings) -> None:
    """Create the accounts, or reset the password and the permissions of the existing ones.

    An existing broker's only account serves all functions and is left as it is.

    Raises:
        CredentialsUnavailableError: a secret cannot be read.
        OSError: the broker is unreachable or refuses the administrator.
    """
    account = parameters(settings)
    for arn, permissions, tags in (
        (settings.consumer_secret_arn, _CONSUMER, ""),
        (settings.publisher_secret_arn, _PUBLISHER, ""),
        (settings.operator_secret_arn, _OPERATOR, "management"),
    ):
        if arn and arn != settings.broker_secret_arn:
            user, password = credentials.from_secret(arn)
            about = {"password": password, "tags": tags}
            put(settings.broker_management_url, ("users", user), about, account)
            _permit(settings.broker_management_url, account, user, permissions)


def _permit(url: str, account: Any, user: str, permissions: dict[str, str]) -> None:  # noqa: ANN401 - pika has no types
    put(url, ("permissions", account.virtual_host, user), permissions, account)
