"""WebSocket frames by the management API of API Gateway."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import aws_client
from notification_dispatch.channels.sender import Accepted, SendResponse, Unreachable
from scheduler import aws_errors
from scheduler.domain.notices import Channel
from scheduler.outbox.delivery import NOT_CONNECTED
from scheduler.outbox.retry_policy import ProviderError
from scheduler.realtime.protocol import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from scheduler.outbox.delivery import Delivery
    from scheduler.realtime.connections import Connections

_GONE: Final = "GoneException"
_UNREACHABLE: Final = Unreachable(NOT_CONNECTED)

_MAX_FRAME_SECONDS: Final = aws_client.CONNECT_TIMEOUT + aws_client.READ_TIMEOUT
"""After this time, a frame is not posted to further connections of its user."""


class WebSocketSender:
    """Sends a frame to every connection of its user, and deletes connections that are gone."""

    channel: Final = Channel.WEBSOCKET

    def __init__(
        self,
        connections: Connections,
        endpoint: str,
        threads: int,
        clock: Callable[[], datetime],
    ) -> None:
        self._connections = connections
        self._endpoint = endpoint
        self._threads = threads
        self._clock = clock

    def send(self, batch: Sequence[Delivery]) -> Iterator[SendResponse]:
        """Send the frames of one user, one after the other, to all their connections."""
        try:
            open_ = self._connections.of_user(batch[0].recipient.user_id, self._clock())
        except aws_client.BOTO_ERRORS as error:
            failed = aws_client.to_provider_error(error, {})
            yield from (failed for _ in batch)
            return
        for delivery in batch:
            responses = self._send(delivery, open_)
            open_ = [id_ for id_ in open_ if responses.get(id_) is not _UNREACHABLE]
            yield _best(responses.values())

    def _send(self, delivery: Delivery, connection_ids: Iterable[str]) -> dict[str, SendResponse]:
        data, until = _frame(delivery), time.monotonic() + _MAX_FRAME_SECONDS
        return {id_: self._post(id_, data) for id_ in connection_ids if time.monotonic() < until}

    def _post(self, connection_id: str, data: bytes) -> SendResponse:
        try:
            self._api.post_to_connection(ConnectionId=connection_id, Data=data)
        except aws_client.BOTO_ERRORS as error:
            if aws_errors.code_of(error) == _GONE:
                with suppress(*aws_client.BOTO_ERRORS):  # the next frame tries again
                    self._connections.remove(connection_id)
                return _UNREACHABLE
            return aws_client.to_provider_error(error, aws_errors.API_GATEWAY)
        return Accepted()

    @cached_property
    def _api(self) -> Any:  # noqa: ANN401 - no types installed
        return aws_client.make_client("apigatewaymanagementapi", self._threads, self._endpoint)


def _best(responses: Iterable[SendResponse]) -> SendResponse:
    """Return success if one connection accepted: on the others, the inbox shows it."""
    listed = list(responses)
    accepted = (one for one in listed if isinstance(one, Accepted))
    failed = (one for one in listed if isinstance(one, ProviderError))
    return next(accepted, None) or next(failed, None) or _UNREACHABLE


def _frame(delivery: Delivery) -> bytes:
    return frame(
        id_=delivery.notification_id,
        type_=delivery.type,
        title=delivery.title,
        message=delivery.message,
        data=delivery.data,
        created_at=delivery.created_at,
    )
