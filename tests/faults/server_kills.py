"""Kills the broker and the database at seeded times, and restarts them."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tests.faults.drill_plan import seeded

if TYPE_CHECKING:
    from local.servers.server import Server
    from tests.faults.drill_plan import DrillPlan, Servers

_DOWN_SECONDS: Final = (0.2, 2.0)


@dataclass(frozen=True, slots=True)
class ServerOutage:
    """A server was killed and restarted later (Unix seconds)."""

    server: str
    killed_at: float
    started_at: float


@dataclass(frozen=True, slots=True)
class _ServerKill:
    after: float
    """The share of messages published before."""
    server: Server
    down_seconds: float


class ServerKiller:
    """Kills one server after the other while messages are published; a context manager."""

    def __init__(self, plan: DrillPlan, servers: Servers) -> None:
        chance = seeded(plan.seed, "sabotage")
        targets: list[Server] = [
            *[servers.rabbitmq] * plan.broker_kills,
            *[servers.mariadb] * plan.database_kills,
        ]
        chance.shuffle(targets)
        self._kills = [
            _ServerKill((number + 1) / (len(targets) + 1), target, chance.uniform(*_DOWN_SECONDS))
            for number, target in enumerate(targets)
        ]
        self._thread = ThreadPoolExecutor(1)
        self._outages: list[Future[ServerOutage]] = []

    def published(self, share: float) -> None:
        """Kill the next server if its share of messages is published and the last one is back."""
        if self._kills and share >= self._kills[0].after:
            self.await_restarts()
            self._outages.append(self._thread.submit(_kill_and_restart, self._kills.pop(0)))

    def await_restarts(self) -> None:
        """Wait until every server has restarted.

        Raises:
            LocalError: a server did not start.
        """
        for outage in self._outages:
            outage.result()

    @property
    def outages(self) -> list[ServerOutage]:
        """Return the outages, in order."""
        return [outage.result() for outage in self._outages]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self._thread.shutdown()


def _kill_and_restart(kill: _ServerKill) -> ServerOutage:
    killed_at = time.time()
    kill.server.kill()
    time.sleep(kill.down_seconds)
    started_at = time.time()
    kill.server.start()
    return ServerOutage(kill.server.name, killed_at, started_at)
