"""API Gateway's management API: sends frames to connections."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import ClientError

from scheduler.aws_errors import code_of

_GONE: Final = "GoneException"


class GoneError(Exception):
    """The connection has ended, or its handshake is not complete."""


class ConnectionClient:
    """Sends frames to connections.

    Args:
        api: boto3's client of ``apigatewaymanagementapi``.
    """

    def __init__(self, api: Any) -> None:  # noqa: ANN401 - no types installed
        self._api = api

    def post(self, connection_id: str, frame: bytes) -> None:
        """Send a frame.

        Raises:
            GoneError: there is no such open connection.
            botocore.exceptions.BotoCoreError, ClientError: API Gateway is unavailable or throttles.
        """
        self._call(self._api.post_to_connection, ConnectionId=connection_id, Data=frame)

    def is_open(self, connection_id: str) -> bool:
        """Return whether the connection can receive frames.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: API Gateway is unavailable or throttles.
        """
        try:
            self._call(self._api.get_connection, ConnectionId=connection_id)
        except GoneError:
            return False
        return True

    def close(self, connection_id: str) -> None:
        """Close a connection; nothing happens if it has ended.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: API Gateway is unavailable or throttles.
        """
        with suppress(GoneError):
            self._call(self._api.delete_connection, ConnectionId=connection_id)

    @staticmethod
    def _call(operation: Any, **arguments: object) -> None:  # noqa: ANN401 - a method of boto3
        try:
            operation(**arguments)
        except ClientError as error:
            if code_of(error) == _GONE:
                raise GoneError from error
            raise
