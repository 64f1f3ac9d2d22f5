"""The way to a connected client: API Gateway's management API."""

from __future__ import annotations

from typing import Any, Final

from botocore.exceptions import ClientError

_GONE: Final = "GoneException"


class GoneError(Exception):
    """The connection has ended, or its handshake has not."""


class Channel:
    """Sends frames to connections.

    Args:
        api: boto3's client of ``apigatewaymanagementapi``.
    """

    def __init__(self, api: Any) -> None:  # noqa: ANN401 - no types installed
        self._api = api

    def post(self, connection_id: str, frame: bytes) -> None:
        """Send a frame.

        Raises:
            GoneError: there is no such connection.
            botocore.exceptions.BotoCoreError, ClientError: API Gateway is away or throttles.
        """
        self._call(self._api.post_to_connection, ConnectionId=connection_id, Data=frame)

    def is_open(self, connection_id: str) -> bool:
        """Tell whether a frame would reach the client."""
        try:
            self._call(self._api.get_connection, ConnectionId=connection_id)
        except GoneError:
            return False
        return True

    @staticmethod
    def _call(operation: Any, **arguments: object) -> None:  # noqa: ANN401 - a method of boto3
        try:
            operation(**arguments)
        except ClientError as error:
            if error.response["Error"]["Code"] == _GONE:
                raise GoneError from error
            raise
