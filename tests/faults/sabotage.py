"""Kills the broker and the database at seeded moments, and brings them back."""

from __future__ import annotations

import time
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from tests.faults.seeded import seeded

if TYPE_CHECKING:
    from types import TracebackType

    from local.servers.server import Server
    from tests.faults.plan import Plan, Servers

_DOWN_SECONDS: Final = (0.2, 2.0)


@dataclass(frozen=True, slots=True)
class Outage:
    """A server was killed, and started again after a while (Unix seconds)."""

    server: str
    killed_at: float
    started_at: float


@dataclass(frozen=True, slots=True)
class _Strike:
    after: float
    """The share of the messages that is published by then."""
    server: Server
    down_seconds: float


class Saboteur:
    """Strikes one server after the other while messages are published; a context manager."""

    def __init__(self, plan: Plan, servers: Servers) -> None:
        chance = seeded(plan.seed, "sabotage")
        targets: list[Server] = [
            *[servers.rabbitmq] * plan.broker_kills,
            *[servers.mariadb] * plan.database_kills,
        ]
        chance.shuffle(targets)
        self._strikes = [
            _Strike((number + 1) / (len(targets) + 1), target, chance.uniform(*_DOWN_SECONDS))
            for number, target in enumerate(targets)
        ]
        self._thread = ThreadPoolExecutor(1)
        self._struck: list[Future[Outage]] = []

    def published(self, share: float) -> None:
        """Strike if it is time; waits until the server struck before is back."""
        if self._strikes and share >= self._strikes[0].after:
            self.await_repair()
            self._struck.append(self._thread.submit(_strike, self._strikes.pop(0)))

    def await_repair(self) -> None:
        """Return when every server is back.

        Raises:
            LocalError: one did not start.
        """
        for struck in self._struck:
            struck.result()

    @property
    def outages(self) -> list[Outage]:
        """Return what was done, in order."""
        return [struck.result() for struck in self._struck]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._thread.shutdown()


def _strike(strike: _Strike) -> Outage:
    killed_at = time.time()
    strike.server.kill()
    time.sleep(strike.down_seconds)
    started_at = time.time()
    strike.server.start()
    return Outage(strike.server.name, killed_at, started_at)
