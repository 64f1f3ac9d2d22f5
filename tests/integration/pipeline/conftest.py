"""The functions on a real database; tests that publish use a real broker too."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.integration.pipeline.crashing import CrashingCounter
from tests.integration.pipeline.failing_fleet import FLEET, LIMITS, count_running, decide
from tests.integration.pipeline.unnamed import AWAY
from tests.support.functions import Functions
from tests.support.queues import Queues
from tests.support.world import NOW, held, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from scheduler.messaging.message import Message
    from tests.support.clock import Clock
    from tests.support.store import Store


@pytest.fixture
def queues(broker_url: str) -> Queues:
    return Queues(broker_url)


@pytest.fixture
def counter() -> CrashingCounter:
    return CrashingCounter()


@pytest.fixture
def connected(
    database_url: str, broker_url: str, clock: Clock, counter: CrashingCounter
) -> Iterator[Functions]:
    """The functions with a real broker, and with the clock and the counter of the test."""
    with Functions(database_url, broker_url, clock=clock, counter=counter) as made:
        yield made


@pytest.fixture
def park(broker_url: str, clock: Clock) -> Callable[..., None]:
    """Return a function that parks messages, since its environment has no database."""

    def park(*batch: Message) -> None:
        with Functions(AWAY, broker_url, clock=clock) as without:
            assert without.handle(*batch) == {"retried": len(batch)}

    return park


@pytest.fixture
def fleet(store: Store) -> Store:
    """Running devices, all of them allocated and counted."""
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(FLEET))))
    decide(store, count_running, NOW)
    return store


@pytest.fixture
def environment(
    database_url: str, broker_url: str, clock: Clock
) -> Iterator[Callable[[], Functions]]:
    """Return a function that starts an execution environment with the brake."""
    with ExitStack() as running:
        yield lambda: running.enter_context(
            Functions(database_url, broker_url, clock=clock, brake=LIMITS)
        )


@pytest.fixture
def braked(environment: Callable[[], Functions]) -> Functions:
    """The functions with a real broker and the brake."""
    return environment()


@pytest.fixture
def new_environment(
    database_url: str, broker_url: str, clock: Clock, counter: CrashingCounter
) -> Iterator[Callable[[], Functions]]:
    """Return a function that starts an environment, which remembers nothing."""
    with ExitStack() as running:
        yield lambda: running.enter_context(
            Functions(database_url, broker_url, clock=clock, counter=counter)
        )


@pytest.fixture
def without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Invocations do not wait for a database that is away."""
    monkeypatch.setattr("scheduler.pipeline.isolation._RETRY_DELAYS", ())
