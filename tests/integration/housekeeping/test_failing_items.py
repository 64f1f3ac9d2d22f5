"""One user, device or request that makes its transaction fail stops nobody else's."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from pymysql.constants import ER

from housekeeping.jobs import JOBS
from housekeeping.runner import JobRunner
from scheduler.deadline import Deadline
from scheduler.domain.model import DeviceStatus
from tests.integration.housekeeping.conftest import add_entry, add_reservation
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from types_boto3_dynamodb import DynamoDBClient

    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.store import Store

NUMBERS = range(5)


@contextmanager
def refused(
    store: Store, event: str, column: str, value: str, errno: int | None = None
) -> Iterator[None]:
    """Refuse the rows of users or devices whose ids match a pattern, by default as a constraint."""
    error = f"SQLSTATE 'HY000' SET MYSQL_ERRNO = {errno}" if errno else "SQLSTATE '45000'"
    store.run(
        f"CREATE TRIGGER refuse BEFORE {event} FOR EACH ROW BEGIN"
        f" IF NEW.{column} LIKE '{value}' THEN"
        f" SIGNAL {error}; END IF; END"
    )
    try:
        yield
    finally:
        store.run("DROP TRIGGER refuse")


def run(housekeeping: Housekeeping, job: str) -> dict[str, Any]:
    return JobRunner(JOBS, housekeeping.tools).run([job], Deadline(float("inf")))[job]


def by_user(store: Store, table: str, column: str = "status") -> dict[str, Any]:
    return dict(store.rows(f"SELECT user_id, {column} FROM {table}"))  # noqa: S608 - ours


def test_other_reservations_start(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(*(user(f"u{n}") for n in NUMBERS), *(device(f"d{n}") for n in NUMBERS)))
    for n in NUMBERS:
        add_reservation(store, f"u{n}", f"d{n}")

    with refused(store, "INSERT ON notifications", "user_id", "u1"):
        assert run(housekeeping, "start-reservations") == {"status": "failed", "handled": 4}

    started = by_user(store, "reservations")
    assert started.pop("u1") == "RESERVED"
    assert set(started.values()) == {"STARTED"}


def test_other_entries_of_the_waiting_line_are_served(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(user(f"u{n}") for n in NUMBERS), *(device(f"d{n}") for n in NUMBERS)))
    for n in NUMBERS:
        add_entry(store, f"u{n}")

    with refused(store, "INSERT ON notifications", "user_id", "u1"):
        assert run(housekeeping, "serve-waiting") == {"status": "failed", "handled": 4}

    served = by_user(store, "waiting")
    assert served.pop("u1") == "WAITING"
    assert set(served.values()) == {"SERVED"}


def test_other_entries_of_the_waiting_line_expire(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(*(user(f"u{n}") for n in NUMBERS)))
    for n in NUMBERS:
        add_entry(store, f"u{n}", until=NOW - MINUTE)

    with refused(store, "INSERT ON notifications", "user_id", "u1"):
        assert run(housekeeping, "expire-waiting") == {"status": "failed", "handled": 4}

    expired = by_user(store, "waiting")
    assert expired.pop("u1") == "WAITING"
    assert set(expired.values()) == {"EXPIRED"}


def test_allocations_of_others_expire_if_the_server_refuses_one_for_its_own_reasons(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in NUMBERS)))
    store.run("UPDATE allocations SET expires_at = allocated_at")

    with refused(store, "INSERT ON notifications", "user_id", "u1", ER.TRANS_CACHE_FULL):
        assert run(housekeeping, "expire") == {"status": "failed", "handled": 4}

    expired = by_user(store, "allocations")
    assert expired.pop("u1") == "ALLOCATED"
    assert set(expired.values()) == {"EXPIRED"}


def test_a_server_that_refuses_everything_is_asked_a_bounded_number_of_times(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(200))))
    store.run("UPDATE allocations SET expires_at = allocated_at")

    ((_, before),) = store.rows("SHOW GLOBAL STATUS LIKE 'Connections'")
    with refused(store, "INSERT ON notifications", "user_id", "%", ER.TRANS_CACHE_FULL):
        assert run(housekeeping, "expire") == {"status": "failed", "handled": 0}
    ((_, after),) = store.rows("SHOW GLOBAL STATUS LIKE 'Connections'")

    # Each refusal closes the connection: another server may have the name by now.
    assert int(after) - int(before) < 40


def test_other_devices_are_corrected(store: Store, housekeeping: Housekeeping) -> None:
    store.seed(world(*(device(f"d{n}", status=DeviceStatus.ALLOCATED) for n in NUMBERS)))

    with refused(store, "INSERT ON devices", "id", "d1"):
        assert run(housekeeping, "reconcile-devices") == {"status": "failed", "handled": 4}

    statuses = dict(store.rows("SELECT id, status FROM devices"))
    assert statuses.pop("d1") == "allocated"
    assert set(statuses.values()) == {"available"}


def test_other_deleted_users_are_erased(
    store: Store, housekeeping: Housekeeping, dynamodb: DynamoDBClient
) -> None:
    assert dynamodb
    store.insert("erasures", "user_id, requested_at", [(f"u{n}", NOW - MINUTE) for n in NUMBERS])

    with refused(store, "UPDATE ON erasures", "user_id", "u1"):
        assert run(housekeeping.after(MINUTE), "erase-deleted-users")["status"] == "failed"

    finished = by_user(store, "erasures", "finished_at IS NOT NULL")
    assert finished.pop("u1") == 0
    assert set(finished.values()) == {1}
