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
from scheduler.messaging.topology import WorkQueue, work_queues
from tests.faults.drill_broker import DrillBroker
from tests.faults.drill_databases import DrillDatabases
from tests.faults.invocations import InvocationLog, RecordedEnvironment
from tests.faults.preloaded import PreloadedEnvironment
from tests.faults.records import Commits, FunctionKills
from tests.support.queues import await_saved_names
from tests.support.together import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tests.faults.drill_plan import DrillPlan, Servers
    from tests.faults.network import Network
    from tests.faults.workload import Household

_VHOST: Final = "faults"
_ROOTS: Final = (ROOT / "functions", ROOT / "layers" / "scheduler", ROOT)
_FUNCTION_SECONDS: Final = 60.0
_QUIET_SECONDS: Final = 1.5
_POLL_SECONDS: Final = 0.1
_HELD_SECONDS: Final = 60.0
_STUCK_SECONDS: Final = 600.0


class DrillStuckError(Exception):
    """Messages are still waiting after ten minutes."""


class DrillEnvironment:
    """The prepared servers and the function of a drill."""

    def __init__(
        self,
        plan: DrillPlan,
        servers: Servers,
        folder: Path,
        households: Sequence[Household],
        network: Network,
    ) -> None:
        self.plan = plan
        self._servers = servers
        self._folder = folder
        self.logs = folder / "logs"
        self.function_kills = FunctionKills(folder, plan.kills)
        self.commits = Commits(folder)
        self.invocations = InvocationLog()
        self._url = _new_vhost(servers)
        self._network = network
        self.broker = DrillBroker(self._url, plan.shards)
        self.broker.declare(plan.retry_delay_ms)
        await_saved_names()
        self.store = DrillDatabases(servers.mariadb, servers.aws_url, self._url)
        self.store.fill(households)

    @property
    def faults_wanted(self) -> int:
        """Return how many kills of the function and faults of the network there shall be."""
        return self.plan.kills + self.plan.network_faults

    def faults(self) -> int:
        """Return how many of them there were."""
        return self.function_kills.count() + self._network.count()

    def release_brake(self) -> None:
        """Release the brake once it has held a message, or nothing waits that it could hold."""
        deadline = time.monotonic() + _HELD_SECONDS
        while time.monotonic() < deadline and self.broker.waiting() and not self.store.held():
            time.sleep(_POLL_SECONDS)  # broker and database are asked; neither tells by itself
        self.store.release_brake()

    @contextmanager
    def function(self, kills: int) -> Iterator[None]:
        """Run the function on all queues during the block; it is killed up to so many times in all.

        Afterwards every delivered message that was not settled is back in its queue.
        """
        environment = PreloadedEnvironment if self.plan.preloaded else RecordedEnvironment
        mappings = Mappings(
            EventSourceMapping(
                self._url,
                queue.name,
                environment(self._deployed(queue, kills), queue.name, self.invocations),
                self.plan.batching,
            )
            for queue in work_queues(self.plan.shards)
        )
        with mappings:
            yield
        eventually(lambda: not self.broker.is_consumed(), "no queue has a consumer")

    def drain(self, kills: int) -> None:
        """Run the function until no message waits and none is being processed.

        Raises:
            DrillStuckError: it takes more than ten minutes.
        """
        while self.broker.waiting() != 0:
            with self.function(kills):
                self.await_quiet()

    def await_quiet(self, quiet: float = _QUIET_SECONDS) -> None:
        """Wait until no message waits and no invocation ends for some seconds.

        Unsettled messages may come back.

        Raises:
            DrillStuckError: it takes more than ten minutes.
        """
        deadline = time.monotonic() + _STUCK_SECONDS
        quiet = max(quiet, 2 * self.plan.retry_delay_ms / 1000)
        since, count = time.monotonic(), -1
        while time.monotonic() < since + quiet:
            if time.monotonic() > deadline:
                raise DrillStuckError(f"{self.broker.waiting()} messages wait; see {self._folder}")
            if self.broker.waiting() != 0 or self.invocations.count() != count:
                since, count = time.monotonic(), self.invocations.count()
            time.sleep(_POLL_SECONDS)  # no server tells that nothing more will happen

    def close(self) -> None:
        """Delete the vhost and the database."""
        self.broker.close()
        _delete_vhost(self._servers)
        self.store.drop()

    def _deployed(self, queue: WorkQueue, kills: int) -> Function:
        urls = (self.store.url, self._url, self._servers.aws_url)
        variables = function_environment(*self._network.through(urls))
        return Function(
            name=f"{queue.family}-events",
            handler="tests.faults.function.handler",
            variables={
                **variables,
                "FAULTS_QUEUE": queue.name,
                "FAULTS_FOLDER": str(self._folder),
                "FAULTS_SEED": str(self.plan.seed),
                "FAULTS_KILLS": str(kills),
                "FAULTS_WEAKNESS": self.plan.weakness or "",
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
