"""Records how the invocations of the function end, as observed from outside."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from local.lambda_runtime.environment import FunctionError, LambdaEnvironment

if TYPE_CHECKING:
    from local.lambda_runtime.functions import Function


@dataclass(frozen=True, slots=True)
class CompletedInvocation:
    """An invocation that returned; times in Unix seconds, totals as returned."""

    queue: str
    began_at: float
    ended_at: float
    totals: dict[str, int]


@dataclass(slots=True)
class InvocationLog:
    """The invocations of a drill on all queues."""

    returned: list[CompletedInvocation] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    """Lambda's error type of each failed invocation."""

    def count(self) -> int:
        """Return the number of invocations."""
        return len(self.returned) + len(self.failed)


class RecordedEnvironment(LambdaEnvironment):
    """An execution environment whose invocations are recorded."""

    def __init__(self, function: Function, queue: str, invocations: InvocationLog) -> None:
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
            CompletedInvocation(self._queue, began_at, time.time(), json.loads(result))
        )
        return result
