"""Where a drill takes place: a fresh database, a fresh vhost, one mapping per queue."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import httpx

from local.environment import function_environment
from local.event_source_mapping import Mappings
from local.event_source_mapping.mapping import EventSourceMapping
from local.lambda_runtime.functions import Function
from local.paths import ROOT
from scheduler.messaging.topology import WORK_QUEUES, WorkQueue
from tests.faults.broker import Broker
from tests.faults.invocations import Invocations, WatchedEnvironment
from tests.faults.preloaded import PreloadedEnvironment
from tests.faults.records import Commits, Deaths
from tests.faults.store import Store
from tests.support.queues import await_saved_names
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.plan import Plan, Servers
    from tests.faults.workload import World

_VHOST: Final = "faults"
_ROOTS: Final = (ROOT / "functions", ROOT / "layers" / "scheduler", ROOT)
_FUNCTION_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.1
_ENDLESS_SECONDS: Final = 600.0


class DrillStuckError(Exception):
    """Messages do not come to rest."""


class Stage:
    """The servers, prepared for one drill, and the function on them."""

    def __init__(self, plan: Plan, servers: Servers, folder: Path, world: World) -> None:
        self._plan = plan
        self._servers = servers
        self._folder = folder
        self.logs = folder / "logs"
        self.deaths = Deaths(folder, plan.kills)
        self.commits = Commits(folder)
        self.invocations = Invocations()
        self._url = _fresh_vhost(servers)
        self.broker = Broker(self._url)
        self.broker.declare(plan.retry_delay_ms)
        await_saved_names()
        self.store = Store(servers.mariadb, servers.aws_url)
        self.store.fill(world)

    @contextmanager
    def function(self, kills: int) -> Iterator[None]:
        """Run the function on all queues; it dies until there were so many deaths in all.

        Afterwards everything that it was given and did not settle waits in its queue again.
        """
        environment = PreloadedEnvironment if self._plan.preloaded else WatchedEnvironment
        mappings = Mappings(
            EventSourceMapping(
                self._url,
                queue.name,
                environment(self._deployed(queue, kills), queue.name, self.invocations),
                self._plan.batching,
            )
            for queue in WORK_QUEUES
        )
        with mappings:
            yield
        eventually(lambda: not self.broker.is_consumed(), "no queue has a consumer any more")

    def come_to_rest(self, kills: int) -> None:
        """Let the function work until no message waits and none is on its way.

        Raises:
            DrillStuckError: that takes more than ten minutes.
        """
        deadline = time.monotonic() + _ENDLESS_SECONDS
        while self.broker.waiting() != 0:
            with self.function(kills):
                self.await_quiet(deadline)

    def await_quiet(self, deadline: float | None = None) -> None:
        """Wait until nothing waits and nothing happens; what is in work may still come back."""
        deadline = deadline or time.monotonic() + _ENDLESS_SECONDS
        longest = max(_QUIET_SECONDS, 2 * self._plan.retry_delay_ms / 1000)
        since, count = time.monotonic(), -1
        while time.monotonic() < since + longest:
            if time.monotonic() > deadline:
                raise DrillStuckError(f"{self.broker.waiting()} messages wait; see {self._folder}")
            if self.broker.waiting() != 0 or self.invocations.count() != count:
                since, count = time.monotonic(), self.invocations.count()
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Leave the servers as they were."""
        self.broker.close()
        _delete_vhost(self._servers)
        self.store.drop()

    def _deployed(self, queue: WorkQueue, kills: int) -> Function:
        variables = function_environment(self.store.url, self._url, self._servers.aws_url)
        return Function(
            name=f"{queue.family}-events",
            handler="tests.faults.function.handler",
            variables={
                **variables,
                "FAULTS_QUEUE": queue.name,
                "FAULTS_FOLDER": str(self._folder),
                "FAULTS_SEED": str(self._plan.seed),
                "FAULTS_KILLS": str(kills),
                **({"FAULTS_FORGETFUL": "yes"} if self._plan.forgetful else {}),
            },
            log_dir=self.logs,
            timeout_seconds=_FUNCTION_SECONDS,
            import_roots=_ROOTS,
        )


def _fresh_vhost(servers: Servers) -> str:
    _delete_vhost(servers)
    return servers.rabbitmq.create_vhost(_VHOST)


def _delete_vhost(servers: Servers) -> None:
    address = f"{servers.rabbitmq.management_url}/api/vhosts/{_VHOST}"
    gone = httpx.delete(address, timeout=30)
    if gone.status_code != httpx.codes.NOT_FOUND:
        gone.raise_for_status()
