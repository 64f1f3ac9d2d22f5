"""RabbitMQ's HTTP API, with the account of the AMQP connection."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote
from urllib.request import Request, urlopen

if TYPE_CHECKING:
    from collections.abc import Mapping

_HTTP_TIMEOUT: Final = 30
"""Seconds."""


def put(url: str, path: tuple[str, ...], body: Mapping[str, str], account: Any) -> None:  # noqa: ANN401 - pika has no types
    """Create or replace an object, e.g. ``("users", "scheduler-publisher")``.

    Raises:
        OSError: the broker is unreachable or refuses the request.
    """
    login = f"{account.credentials.username}:{account.credentials.password}".encode()
    request = Request(  # noqa: S310 - the template says https
        "/".join([url, "api", *(quote(name, safe="") for name in path)]),
        data=json.dumps(body).encode(),
        headers={
            "Authorization": f"Basic {b64encode(login).decode()}",
            "Content-Type": "application/json",
        },
        method="PUT",
    )
    with urlopen(request, timeout=_HTTP_TIMEOUT):  # noqa: S310 - as above
        pass
