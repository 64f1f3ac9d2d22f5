"""Asynchronous invocation of functions, as far as Lambda's API offers it to one another.

docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html: a function that fails is
tried again after one minute and after two more. What waits for that is lost when the platform
stops, where Lambda would keep it.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from local.event_source_mapping.environment import FunctionError, PayloadTooLargeError
from local.websocket.errors import aws_error

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from local.gateway.pool import EnvironmentPool

_log = logging.getLogger(__name__)

_EVENT: Final = "Event"
_PAUSES: Final = (60.0, 120.0)


class AsyncInvocations:
    """Takes events for functions, by their names, and runs them."""

    def __init__(
        self, functions: Mapping[str, EnvironmentPool], pauses: tuple[float, ...] = _PAUSES
    ) -> None:
        self._functions = functions
        self._pauses = pauses
        self._running: set[asyncio.Task[None]] = set()

    async def accept(self, request: Request) -> Response:
        """Take an event and return at once."""
        name = request.path_params["name"]
        if name not in self._functions:
            return aws_error(404, "ResourceNotFoundException", f"Function not found: {name}")
        if request.headers.get("x-amz-invocation-type") != _EVENT:
            return aws_error(400, "InvalidParameterValueException", "only InvocationType=Event")
        task = asyncio.create_task(self._run(name, await request.body()))
        self._running.add(task)  # else it may be collected before its end
        task.add_done_callback(self._running.discard)
        return Response(status_code=202)

    async def _run(self, name: str, event: bytes) -> None:
        for pause in (*self._pauses, None):
            try:
                await asyncio.wrap_future(self._functions[name].submit(event))
            except PayloadTooLargeError as error:
                _log.warning("%s: %r", name, error)
                return
            except FunctionError as error:
                _log.warning("%s: %r; again in %s s", name, error, pause)
            else:
                return
            if pause is not None:
                await asyncio.sleep(pause)
