"""The deployed handler in a Lambda environment, on the real database and broker."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias

import pytest

from housekeeping.jobs import JOBS
from local.lambda_runtime.environment import FunctionError, LambdaEnvironment
from local.lambda_runtime.functions import Function
from scheduler.messaging.topology import NOTIFICATION_QUEUE
from tests.integration.housekeeping.conftest import set_expiry
from tests.support.functions import NOWHERE, OUTSIDE
from tests.support.queues import Queues
from tests.support.world import MINUTE, SECOND, held, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.support.store import Store

SCHEDULED = {"source": "aws.scheduler", "detail-type": "Scheduled Event", "detail": {}}
NO_DATABASE = "mysql://nobody@127.0.0.1:1/nothing"

Invoke: TypeAlias = "Callable[[object], dict[str, Any]]"
Start: TypeAlias = "Callable[..., Invoke]"


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts an environment on a database and a broker."""
    started: list[LambdaEnvironment] = []

    def start(database_url: str, broker_url: str, timeout: int = 60) -> Invoke:
        variables = {"DATABASE_URL": database_url, "BROKER_URL": broker_url, **OUTSIDE}
        function = Function(
            "housekeeping", "housekeeping.app.handler", variables, tmp_path, timeout
        )
        started.append(environment := LambdaEnvironment(function, "housekeeping"))
        return lambda event: json.loads(environment.invoke(json.dumps(event).encode()))

    yield start
    for environment in started:
        environment.close()


def test_the_schedule_runs_every_job_and_nudges_the_dispatcher(
    start: Start, store: Store, database_url: str, broker_url: str
) -> None:
    now = datetime.now(UTC)
    store.seed(world(held("d1", since=now - 60 * MINUTE), held("d2", since=now - 56 * MINUTE)))
    set_expiry(store, now - SECOND, "d1")
    set_expiry(store, now + 4 * MINUTE, "d2")
    invoke = start(database_url, broker_url)

    results = invoke(SCHEDULED)

    assert list(results) == list(JOBS)
    assert {result["status"] for result in results.values()} == {"done"}
    assert results["expire"]["handled"] == results["warn"]["handled"] == 1
    types = store.rows("SELECT type FROM notifications ORDER BY type")
    assert types == [("allocation_expired",), ("allocation_expiring_soon",)]
    assert Queues(broker_url).take(NOTIFICATION_QUEUE)
    assert invoke(SCHEDULED)["expire"]["handled"] == 0


def test_a_slow_statement_ends_before_the_time_of_the_function(
    start: Start, store: Store, database_url: str
) -> None:
    now = datetime.now(UTC)
    store.seed(world(held("d1", since=now - 60 * MINUTE)))
    set_expiry(store, now - SECOND, "d1")
    invoke = start(database_url, NOWHERE, 4)
    invoke({"jobs": ["warn"]})  # the cold start
    store.run("CREATE TRIGGER slow BEFORE INSERT ON notifications FOR EACH ROW DO SLEEP(5)")
    try:
        results = invoke({"jobs": ["expire", "warn"]})
    finally:
        store.run("DROP TRIGGER slow")

    assert [result["status"] for result in results.values()] == ["failed", "failed"]


def test_an_operator_runs_single_jobs(start: Start, database_url: str) -> None:
    results = start(database_url, NOWHERE)({"jobs": ["purge", "expire"]})

    assert results == {
        "purge": {"status": "done", "handled": 0},
        "expire": {"status": "done", "handled": 0},
    }


def test_an_unknown_job_is_refused_with_the_names_of_the_jobs(
    start: Start, database_url: str
) -> None:
    with pytest.raises(FunctionError, match=r"some of expire, .* it is \['exprie'\]"):
        start(database_url, NOWHERE)({"jobs": ["exprie"]})


def test_queues_are_measured_while_the_database_is_unavailable(
    start: Start, broker_url: str
) -> None:
    results = start(NO_DATABASE, broker_url)(SCHEDULED)

    status = {job: result["status"] for job, result in results.items()}
    assert status == {**dict.fromkeys(JOBS, "failed"), "measure": "done"}


def test_allocations_expire_while_the_broker_is_unavailable(
    start: Start, store: Store, database_url: str
) -> None:
    store.seed(world(held("d1")))

    results = start(database_url, NOWHERE)({"jobs": ["expire", "measure"]})

    assert results["expire"] == {"status": "done", "handled": 1}
    assert results["measure"]["status"] == "failed"
