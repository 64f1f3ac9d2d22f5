"""The environment of a drill: a new database, a new vhost, and a mapping per queue."""

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
from tests.faults.drill_broker import DrillBroker
from tests.faults.drill_databases import DrillDatabases
from tests.faults.invocations import InvocationLog, RecordedEnvironment
from tests.faults.preloaded import PreloadedEnvironment
from tests.faults.records import Commits, FunctionKills
from tests.support.queues import await_saved_names
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.drill_plan import DrillPlan, Servers
    from tests.faults.workload import World

_VHOST: Final = "faults"
_ROOTS: Final = (ROOT / "functions", ROOT / "layers" / "scheduler", ROOT)
_FUNCTION_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.1
_STUCK_SECONDS: Final = 600.0


class DrillStuckError(Exception):
    """Messages are still waiting after ten minutes."""


class DrillEnvironment:
    """The prepared servers and the function of a drill."""

    def __init__(self, plan: DrillPlan, servers: Servers, folder: Path, world: World) -> None:
        self._plan = plan
        self._servers = servers
        self._folder = folder
        self.logs = folder / "logs"
        self.function_kills = FunctionKills(folder, plan.kills)
        self.commits = Commits(folder)
        self.invocations = InvocationLog()
        self._url = _new_vhost(servers)
        self.broker = DrillBroker(self._url)
        self.broker.declare(plan.retry_delay_ms)
        await_saved_names()
        self.store = DrillDatabases(servers.mariadb, servers.aws_url)
        self.store.fill(world)

    @contextmanager
    def function(self, kills: int) -> Iterator[None]:
        """Run the function on all queues during the block; it is killed up to so many times in all.

        Afterwards every delivered message that was not settled is back in its queue.
        """
        environment = PreloadedEnvironment if self._plan.preloaded else RecordedEnvironment
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
        eventually(lambda: not self.broker.is_consumed(), "no queue has a consumer")

    def drain(self, kills: int) -> None:
        """Run the function until no message waits and none is being processed.

        Raises:
            DrillStuckError: it takes more than ten minutes.
        """
        deadline = time.monotonic() + _STUCK_SECONDS
        while self.broker.waiting() != 0:
            with self.function(kills):
                self.await_quiet(deadline)

    def await_quiet(self, deadline: float | None = None) -> None:
        """Wait until no message waits and no invocation ends; unsettled ones may come back."""
        deadline = deadline or time.monotonic() + _STUCK_SECONDS
        quiet = max(_QUIET_SECONDS, 2 * self._plan.retry_delay_ms / 1000)
        since, count = time.monotonic(), -1
        while time.monotonic() < since + quiet:
            if time.monotonic() > deadline:
                raise DrillStuckError(f"{self.broker.waiting()} messages wait; see {self._folder}")
            if self.broker.waiting() != 0 or self.invocations.count() != count:
                since, count = time.monotonic(), self.invocations.count()
            time.sleep(_POLL_SECONDS)

    def close(self) -> None:
        """Delete the vhost and the database."""
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


def _new_vhost(servers: Servers) -> str:
    _delete_vhost(servers)
    return servers.rabbitmq.create_vhost(_VHOST)


def _delete_vhost(servers: Servers) -> None:
    address = f"{servers.rabbitmq.management_url}/api/vhosts/{_VHOST}"
    response = httpx.delete(address, timeout=30)
    if response.status_code != httpx.codes.NOT_FOUND:
        response.raise_for_status()
