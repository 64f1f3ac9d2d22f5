"""The execution environments of the function behind an API."""

from __future__ import annotations

import queue
from concurrent.futures import Future, ThreadPoolExecutor

from local.event_source_mapping.environment import Function, LambdaEnvironment


class EnvironmentPool:
    """Runs up to `size` invocations at once, each in an environment of its own.

    Environments start cold when first needed; the one used last is used next. A request that
    finds all of them busy waits, where Lambda would start one more.
    """

    def __init__(self, function: Function, size: int) -> None:
        self._environments = [
            LambdaEnvironment(function, f"{function.name}-{number}")
            for number in range(1, size + 1)
        ]
        self._idle: queue.LifoQueue[LambdaEnvironment] = queue.LifoQueue()
        for environment in reversed(self._environments):
            self._idle.put(environment)
        self._threads = ThreadPoolExecutor(size, thread_name_prefix=function.name)

    def submit(self, event: bytes) -> Future[bytes]:
        """Invoke the function; the future holds its result or what `invoke` raises."""
        return self._threads.submit(self._invoke, event)

    def close(self) -> None:
        """End all environments; running invocations fail."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for environment in self._environments:
            environment.close()
        self._threads.shutdown()

    def _invoke(self, event: bytes) -> bytes:
        environment = self._idle.get()
        try:
            return environment.invoke(event)
        finally:
            self._idle.put(environment)
