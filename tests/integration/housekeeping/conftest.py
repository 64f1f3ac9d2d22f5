"""The jobs on a real database, with a clock that tests set, and a count of nudges."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import pytest

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from local.aws import aws_client
from local.environment import aws_environment
from scheduler.database.connection import Database
from scheduler.database.times import to_sql
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.unit_of_work import UnitsOfWork
from tests.support.functions import NOWHERE, OUTSIDE
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from types_boto3_dynamodb import DynamoDBClient

    from tests.support.store import Store

FIRST_RESERVATION: Final = 1 << 100
"""The number of the first reservation's id; no waiting entry has it."""

_ROWS_READ: Final = "SHOW SESSION STATUS LIKE 'Handler\\_read\\_%'"


class Housekeeping:
    """An execution environment of the function."""

    def __init__(self, database_url: str, broker_url: str = NOWHERE, **variables: str) -> None:
        self.now = NOW
        self.nudges = 0
        urls = {"DATABASE_URL": database_url, "BROKER_URL": broker_url}
        self.variables = {**urls, **OUTSIDE, **variables}
        self.settings = HousekeepingSettings.model_validate(self.variables)
        self.database = Database(self.settings)

    @property
    def tools(self) -> Tools:
        """Return the tools of the jobs."""
        units = UnitsOfWork(self.database, Quota(10), self._nudge, lambda: self.now)
        return Tools(self.settings, units)

    def run(self, job: str) -> int:
        """Run a job to its end, and return the number of items that it handled."""
        result = JobRunner(JOBS, self.tools).run([job], Deadline(float("inf")))[job]
        assert result["status"] == "done", result
        handled: int = result["handled"]
        return handled

    def after(self, time: timedelta) -> Housekeeping:
        """Advance the clock."""
        self.now += time
        return self

    def _nudge(self) -> None:
        self.nudges += 1


class Reports:
    """The reports to operators: metrics on stdout, errors in the log."""

    def __init__(self, output: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> None:
        self._output = output
        self._log = log

    def findings(self) -> dict[str, float]:
        """Return the counts of findings since the last call, by kind."""
        lines = [json.loads(line) for line in self._output.readouterr().out.splitlines()]
        found = [line for line in lines if "kind" in line]
        return {line["kind"]: line["scheduler_reconciler_findings_total"] for line in found}

    @property
    def ids(self) -> dict[str, list[object]]:
        """Return the logged ids of findings by kind."""
        return {line["kind"]: line["ids"] for line in self.lines}

    @property
    def lines(self) -> list[dict[str, Any]]:
        """Return the log lines about findings."""
        return [record.__dict__ for record in self._log.records if record.levelname == "ERROR"]


def rows_read(housekeeping: Housekeeping) -> int:
    """Return how many rows its connection has read so far."""
    with housekeeping.database.transaction() as cursor:
        cursor.execute(_ROWS_READ)
        return sum(int(value) for _, value in cursor.fetchall())


@pytest.fixture
def reports(capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Reports:
    return Reports(capsys, caplog)


@pytest.fixture
def housekeeping(database_url: str) -> Iterator[Housekeeping]:
    made = Housekeeping(database_url)
    yield made
    made.database.close()


@pytest.fixture
def dynamodb(aws_url: str, monkeypatch: pytest.MonkeyPatch) -> DynamoDBClient:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    client: DynamoDBClient = aws_client("dynamodb", aws_url)
    return client


def set_expiry(store: Store, at: datetime, device_id: str = "d1") -> None:
    """Set the expiry of a device's active allocation."""
    store.run(
        f"UPDATE allocations SET expires_at = '{to_sql(at)}' WHERE active_device_id = '{device_id}'"  # noqa: S608 - values of the test
    )


def add_notification(  # noqa: PLR0913 - a row
    store: Store,
    notification_id: str,
    created: datetime,
    *,
    channel: str = "websocket",
    due: datetime | None = None,
    status: str = "pending",
    attempts: int = 0,
    claimed_until: datetime | None = None,
) -> None:
    """Insert a notification with one delivery, by default due since its creation."""
    claim = f"'{to_sql(claimed_until)}'" if claimed_until else "NULL"
    store.run(
        f"INSERT INTO notifications SET id = '{notification_id}', user_id = 'u1', type = 'x',"
        f" title = 't', message = 'm', data = '{{}}', dedupe_key = 'x:{notification_id}',"
        f" created_at = '{to_sql(created)}'",
        f"INSERT INTO notification_deliveries SET notification_id = '{notification_id}',"
        f" channel = '{channel}', status = '{status}', attempts = {attempts},"
        f" next_attempt_at = '{to_sql(due or created)}', claimed_until = {claim}",
    )


def add_bare_notification(
    store: Store, id_: str = "n1", kind: str = "billing_alert.overdue", **more: object
) -> None:
    """Insert a notification from a minute ago without deliveries."""
    columns = {
        "id": id_,
        "user_id": "u1",
        "type": kind.partition(".")[0],
        "title": "t",
        "message": "m",
        "data": "{}",
        "dedupe_key": f"{kind}:scheduler.q:{id_}",
        "created_at": to_sql(NOW - MINUTE),
        **more,
    }
    store.run(
        "INSERT INTO notifications SET "
        + ", ".join(f"{name} = '{value}'" for name, value in columns.items())
    )


def before_transaction(
    housekeeping: Housekeeping, number: int, action: Callable[[], object]
) -> None:
    """Run an action, as another process would, right before the nth transaction of a job."""
    begin, begun = housekeeping.database.transaction, 0

    def transaction() -> Any:  # noqa: ANN401 - a context manager
        nonlocal begun
        begun += 1
        if begun == number:
            action()
        return begin()

    housekeeping.database.transaction = transaction  # type: ignore[method-assign]  # replaced on purpose


def add_entry(
    store: Store,
    user_id: str,
    *,
    priority: int = 0,
    minutes: int = 60,
    until: datetime = NOW + 60 * MINUTE,
) -> None:
    """Add an entry to the end of the waiting line."""
    ((count,),) = store.rows("SELECT COUNT(*) FROM waiting")
    store.run(
        f"INSERT INTO waiting SET id = '{UUID(int=count)}', user_id = '{user_id}',"
        f" priority = {priority}, minutes = {minutes}, min_cpu_cores = 0, min_memory_mb = 0,"
        f" created_at = '{to_sql(NOW - MINUTE + timedelta(milliseconds=count))}',"
        f" expires_at = '{to_sql(until)}'"
    )


def add_reservation(
    store: Store, user_id: str = "u1", device_id: str = "d1", at: datetime = NOW
) -> None:
    """Insert a reservation of an hour."""
    ((count,),) = store.rows("SELECT COUNT(*) FROM reservations")
    store.run(
        f"INSERT INTO reservations SET id = '{UUID(int=FIRST_RESERVATION + count)}',"
        f" user_id = '{user_id}',"
        f" device_id = '{device_id}', starts_at = '{to_sql(at)}', min_cpu_cores = 0,"
        f" ends_at = '{to_sql(at + 60 * MINUTE)}', min_memory_mb = 0, created_at = '{to_sql(NOW)}'"
    )
