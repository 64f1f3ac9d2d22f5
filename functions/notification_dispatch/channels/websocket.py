"""Frames to open WebSockets, by the management API of API Gateway."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import cached_property
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from notification_dispatch.channels import provider
from notification_dispatch.channels.sender import Accepted, Answer, Unreachable
from scheduler.domain.notices import Channel
from scheduler.outbox.retry_policy import ErrorClass, ProviderError
from scheduler.realtime.protocol import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime

    from scheduler.outbox.delivery import Delivery
    from scheduler.realtime.connections import Connections

GONE: Final = "GoneException"
# https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-how-to-call-websocket-api-connections.html
ERROR_CLASSES: Final[provider.ErrorClasses] = {
    "PayloadTooLargeException": ErrorClass.PERMANENT,
    "ForbiddenException": ErrorClass.TRANSIENT,
    # Also what a client causes that reads nothing: its buffer is full. It must not hold up others.
    "LimitExceededException": ErrorClass.RECIPIENT_BUSY,
}
NOT_CONNECTED: Final = Unreachable("not connected; it waits in the inbox")

_PATIENCE: Final = provider.CONNECT_TIMEOUT + provider.READ_TIMEOUT
"""Seconds for all connections of a user: one that hangs must not add up with others."""


class WebSocketSender:
    """Sends a frame to every connection of its user, and forgets those that are gone."""

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

    def batches(self, deliveries: Sequence[Delivery]) -> Iterable[Sequence[Delivery]]:
        """Keep the frames of a user together and in order."""
        by_user = sorted(deliveries, key=lambda delivery: delivery.recipient.user_id)
        return [tuple(own) for _, own in groupby(by_user, lambda one: one.recipient.user_id)]

    def send(self, batch: Sequence[Delivery]) -> Iterator[Answer]:
        """Send the frames of one user, one after the other, to all connections."""
        try:
            open_ = self._connections.of_user(batch[0].recipient.user_id, self._clock())
        except provider.BOTO_ERRORS as error:
            failed = provider.provider_error(error, {})
            yield from (failed for _ in batch)
            return
        for delivery in batch:
            answers = self._send(delivery, open_)
            open_ = [id_ for id_ in open_ if answers.get(id_) is not NOT_CONNECTED]
            yield _best(answers.values())

    def _send(self, delivery: Delivery, connection_ids: Iterable[str]) -> dict[str, Answer]:
        data, until = _frame(delivery), time.monotonic() + _PATIENCE
        return {id_: self._post(id_, data) for id_ in connection_ids if time.monotonic() < until}

    def _post(self, connection_id: str, data: bytes) -> Answer:
        try:
            self._api.post_to_connection(ConnectionId=connection_id, Data=data)
        except provider.BOTO_ERRORS as error:
            if getattr(error, "response", {}).get("Error", {}).get("Code") == GONE:
                with suppress(*provider.BOTO_ERRORS):  # else the next frame tries again
                    self._connections.remove(connection_id)
                return NOT_CONNECTED
            return provider.provider_error(error, ERROR_CLASSES)
        return Accepted()

    @cached_property
    def _api(self) -> Any:  # noqa: ANN401 - no types installed
        return provider.client("apigatewaymanagementapi", self._threads, self._endpoint)


def _best(answers: Iterable[Answer]) -> Answer:
    """One connection that has the frame is enough: the others see it in the inbox."""
    listed = list(answers)
    accepted = (answer for answer in listed if isinstance(answer, Accepted))
    failed = (answer for answer in listed if isinstance(answer, ProviderError))
    return next(accepted, None) or next(failed, None) or NOT_CONNECTED


def _frame(delivery: Delivery) -> bytes:
    return frame(
        id_=delivery.notification_id,
        type_=delivery.type,
        title=delivery.title,
        message=delivery.message,
        data=delivery.data,
        created_at=delivery.created_at,
    )
