"""The jobs on a real database, with a clock of the test and a dispatcher that counts its nudges."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest

from housekeeping.jobs import JOBS
from housekeeping.runner import Housekeeper
from housekeeping.settings import HousekeepingSettings
from housekeeping.tools import Tools
from scheduler.database.connection import Database
from scheduler.database.times import to_sql
from scheduler.deadline import Deadline
from scheduler.domain.model import Quota
from scheduler.unit_of_work import UnitsOfWork
from tests.support.functions import NOWHERE
from tests.support.world import MINUTE, NOW

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from tests.support.store import Store


class Keeper:
    """One execution environment of the function."""

    def __init__(self, database_url: str, broker_url: str = NOWHERE, **variables: str) -> None:
        self.now = NOW
        self.nudges = 0
        self.variables = {"DATABASE_URL": database_url, "BROKER_URL": broker_url, **variables}
        self.settings = HousekeepingSettings.model_validate(self.variables)
        self.database = Database(self.settings)

    @property
    def tools(self) -> Tools:
        """Return what the jobs work with."""
        units = UnitsOfWork(self.database, Quota(10), self._nudge, lambda: self.now)
        return Tools(self.settings, units)

    def run(self, job: str) -> int:
        """Run a job to its end and return how many things it handled."""
        result = Housekeeper(JOBS, self.tools).run([job], Deadline(float("inf")))[job]
        assert result["status"] == "done", result
        handled: int = result["handled"]
        return handled

    def after(self, time: timedelta) -> Keeper:
        """Let time pass."""
        self.now += time
        return self

    def _nudge(self) -> None:
        self.nudges += 1


@pytest.fixture
def keeper(database_url: str) -> Iterator[Keeper]:
    made = Keeper(database_url)
    yield made
    made.database.close()


def ends(store: Store, at: datetime, device_id: str = "d1") -> None:
    """Let the allocation of a device end at a time."""
    store.run(
        f"UPDATE allocations SET expires_at = '{to_sql(at)}' WHERE active_device_id = '{device_id}'"  # noqa: S608
    )


def deliver(  # noqa: PLR0913 - a row
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
    """Insert a notification with one delivery, due since it was created unless told."""
    claim = f"'{to_sql(claimed_until)}'" if claimed_until else "NULL"
    store.run(
        f"INSERT INTO notifications SET id = '{notification_id}', user_id = 'u1', type = 'x',"
        f" title = 't', message = 'm', data = '{{}}', dedupe_key = 'x:{notification_id}',"
        f" created_at = '{to_sql(created)}'",
        f"INSERT INTO notification_deliveries SET notification_id = '{notification_id}',"
        f" channel = '{channel}', status = '{status}', attempts = {attempts},"
        f" next_attempt_at = '{to_sql(due or created)}', claimed_until = {claim}",
    )


def bare(
    store: Store, id_: str = "n1", kind: str = "billing_alert.overdue", **more: object
) -> None:
    """Insert a notification of a minute ago without any delivery."""
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


def before_transaction(keeper: Keeper, number: int, action: Callable[[], object]) -> None:
    """Have something done by somebody else right before the nth transaction of a job begins."""
    begin, begun = keeper.database.transaction, 0

    def transaction() -> Any:  # noqa: ANN401 - a context manager
        nonlocal begun
        begun += 1
        if begun == number:
            action()
        return begin()

    keeper.database.transaction = transaction  # type: ignore[method-assign]


def line(
    store: Store,
    user_id: str,
    *,
    priority: int = 0,
    minutes: int = 60,
    until: datetime = NOW + 60 * MINUTE,
) -> None:
    """Let a user stand at the end of the line."""
    ((count,),) = store.rows("SELECT COUNT(*) FROM waiting")
    store.run(
        f"INSERT INTO waiting SET id = '{UUID(int=count)}', user_id = '{user_id}',"
        f" priority = {priority}, minutes = {minutes}, min_cpu_cores = 0, min_memory_mb = 0,"
        f" created_at = '{to_sql(NOW - MINUTE + timedelta(milliseconds=count))}',"
        f" expires_at = '{to_sql(until)}'"
    )
