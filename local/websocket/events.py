"""The events that API Gateway sends to a function for a WebSocket (proxy integration).

They follow the recorded $connect, $disconnect and message events of
gist.github.com/noid11/4aa8933d0b5cdbcc09d377c5d65d28c1, without the nulls that newer recordings
lack, and for the request context docs.aws.amazon.com/apigateway/latest/developerguide/
apigateway-websocket-api-mapping-template-reference.html.
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_API: Final = "local"
_STAGE: Final = "local"


@dataclass(frozen=True, slots=True)
class Peer:
    """The client of a connection, as its handshake describes it."""

    connection_id: str
    connected_at: datetime
    source_ip: str
    user_agent: str
    domain: str


def new_id() -> str:
    """Return a random id in the format of connection, request and message ids."""
    return base64.urlsafe_b64encode(secrets.token_bytes(11)).decode("ascii")


def connect_event(
    peer: Peer, headers: Iterable[tuple[str, str]], query: Iterable[tuple[str, str]]
) -> dict[str, Any]:
    """Return the $connect event; the names and values of ``query`` are decoded."""
    header_values = _grouped((_header_name(name), value) for name, value in headers)
    query_values = _grouped(query)
    event: dict[str, Any] = {
        "headers": _last(header_values),
        "multiValueHeaders": header_values,
        "requestContext": _context(peer, "$connect", "CONNECT"),
        "isBase64Encoded": False,
    }
    if query_values:
        event["queryStringParameters"] = _last(query_values)
        event["multiValueQueryStringParameters"] = query_values
    return event


def message_event(peer: Peer, message: str | bytes) -> dict[str, Any]:
    """Return the $default event for a message from a client."""
    is_binary = isinstance(message, bytes)
    return {
        "requestContext": _context(peer, "$default", "MESSAGE") | {"messageId": new_id()},
        "body": base64.b64encode(message).decode() if isinstance(message, bytes) else message,
        "isBase64Encoded": is_binary,
    }


def disconnect_event(peer: Peer, code: int, reason: str) -> dict[str, Any]:
    """Return the $disconnect event."""
    headers = {"Host": peer.domain, "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}
    closing = {"disconnectStatusCode": code, "disconnectReason": reason}
    return {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": _context(peer, "$disconnect", "DISCONNECT") | closing,
        "isBase64Encoded": False,
    }


def _context(peer: Peer, route: str, event_type: str) -> dict[str, Any]:
    now, request_id = datetime.now(UTC), new_id()
    return {
        "routeKey": route,
        "eventType": event_type,
        "extendedRequestId": request_id,
        "requestTime": f"{now:%d/%b/%Y:%H:%M:%S} +0000",
        "messageDirection": "IN",
        "stage": _STAGE,
        "connectedAt": _milliseconds(peer.connected_at),
        "requestTimeEpoch": _milliseconds(now),
        "identity": {"sourceIp": peer.source_ip, "userAgent": peer.user_agent},
        "requestId": request_id,
        "domainName": peer.domain,
        "connectionId": peer.connection_id,
        "apiId": _API,
    }


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _header_name(name: str) -> str:
    return name.title().replace("Websocket", "WebSocket")


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return grouped


def _last(values: Mapping[str, list[str]]) -> dict[str, str]:
    return {name: listed[-1] for name, listed in values.items()}
