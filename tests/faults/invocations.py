"""What is seen of the function from outside: how its invocations ended."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.lambda_runtime.environment import FunctionError, LambdaEnvironment

if TYPE_CHECKING:
    from local.lambda_runtime.functions import Function


@dataclass(frozen=True, slots=True)
class Invocation:
    """An invocation that returned; times in Unix seconds, totals as the function returned them."""

    queue: str
    began_at: float
    ended_at: float
    totals: dict[str, int]


@dataclass(slots=True)
class Invocations:
    """All invocations of a drill, of all queues."""

    returned: list[Invocation] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Lambda's error type of each invocation that failed."""

    def count(self) -> int:
        """Return how many there were."""
        return len(self.returned) + len(self.failed)


class WatchedEnvironment(LambdaEnvironment):
    """An execution environment whose invocations are written down."""

    def __init__(self, function: Function, queue: str, invocations: Invocations) -> None:
        super().__init__(function, queue)
        self._queue = queue
        self._invocations = invocations

    def invoke(self, event: bytes) -> bytes:
        began_at = time.time()
        try:
            result = super().invoke(event)
        except FunctionError as error:
            self._invocations.failed.append(error.error_type)
            raise
        self._invocations.returned.append(
            Invocation(self._queue, began_at, time.time(), json.loads(result))
        )
        return result
