"""The function's own event after ``$connect``, and how it is sent.

API Gateway completes a handshake only when ``$connect`` has returned, and answers frames with 410
Gone until then. So the function invokes itself asynchronously, as AWS recommends
(https://repost.aws/knowledge-center/410-gone-api-gateway). Lambda queues the event and retries it
after one minute and again after two if the function fails.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from scheduler.realtime.protocol import Since


class PendingConnection(BaseModel):
    """A connection whose handshake is not complete, and its client's position."""

    model_config = ConfigDict(frozen=True)

    connection_id: str
    since: Since


class AsyncInvoker:
    """Invokes this function asynchronously.

    Args:
        client: boto3's client of ``lambda``.
        function_name: the name of this function.
    """

    def __init__(self, client: Any, function_name: str) -> None:  # noqa: ANN401 - no types installed
        self._client = client
        self._function_name = function_name

    def __call__(self, pending: PendingConnection) -> None:
        """Send the event.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: Lambda did not accept it.
        """
        self._client.invoke(
            FunctionName=self._function_name,
            InvocationType="Event",
            Payload=pending.model_dump_json(),
        )
