"""What is left to do when $connect has returned: its event, and how it comes about.

API Gateway completes the handshake only after $connect, and answers 410 to frames until then; so
the function invokes itself asynchronously, as AWS advises
(https://repost.aws/knowledge-center/410-gone-api-gateway). Lambda keeps the event, and tries again
after a minute and after two more if it fails.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from scheduler.realtime.protocol import Since


class Opening(BaseModel):
    """A connection that is about to open, and what its client has: the event of an invocation."""

    model_config = ConfigDict(frozen=True)

    connection_id: str
    since: Since


class Later:
    """Invokes this function again.

    Args:
        client: boto3's client of ``lambda``.
        function_name: the name of this function.
    """

    def __init__(self, client: Any, function_name: str) -> None:  # noqa: ANN401 - no types installed
        self._client = client
        self._function_name = function_name

    def __call__(self, opening: Opening) -> None:
        """Have an opening seen to when this invocation is over.

        Raises:
            botocore.exceptions.BotoCoreError, ClientError: Lambda did not take it.
        """
        self._client.invoke(
            FunctionName=self._function_name,
            InvocationType="Event",
            Payload=opening.model_dump_json(),
        )
