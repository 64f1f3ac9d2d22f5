"""Reservations that conflict with the waiting line or another transaction."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.database import reservations
from scheduler.database.errors import StaleSnapshotError
from tests.integration.api.test_reservations import reserve
from tests.support.together import eventually, together

if TYPE_CHECKING:
    from collections.abc import Callable

    from pymysql.connections import Connection
    from pymysql.cursors import Cursor

    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows

WAITING = """
    SELECT 1 FROM information_schema.processlist
    WHERE info LIKE '%%FROM devices WHERE id%%FOR UPDATE%%' AND id <> CONNECTION_ID()
"""


def reserve_behind(other: Connection[Any], ends: str, api: Client, rows: Rows) -> Reply:
    """Reserve a device that another transaction has locked; it ends once the request waits."""
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(reserve, api)
        eventually(
            lambda: reply.done() or bool(rows.all(WAITING)), "the request waits for the device"
        )
        getattr(other, ends)()
    return reply.result()


@pytest.mark.parametrize(("ends", "status"), [("commit", 409), ("rollback", 201)])
def test_an_allocation_extended_concurrently_keeps_its_device(
    api: Client, rows: Rows, other: Cursor, ends: str, status: int
) -> None:
    rows.device()
    api.allocate("holder")
    other.execute("SELECT id FROM devices FOR UPDATE")
    other.execute("UPDATE allocations SET expires_at = expires_at + INTERVAL 1 DAY")

    assert reserve_behind(other.connection, ends, api, rows).status == status
    into_slot = (
        "SELECT a.id FROM allocations a JOIN reservations r ON r.device_id = a.device_id"
        " WHERE a.expires_at > r.starts_at"
    )
    assert not rows.all(into_slot)


def test_another_device_is_reserved_if_the_first_fails_meanwhile(
    api: Client, rows: Rows, other: Cursor
) -> None:
    rows.device("d1")
    rows.device("d2")
    other.execute("UPDATE devices SET health = 'failed' WHERE id = 'd1'")

    assert reserve_behind(other.connection, "commit", api, rows).status == 201
    assert rows.column("SELECT device_id FROM reservations") == ["d2"]


def test_a_queued_request_is_not_served_into_a_reservation(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("holder").body
    reserve(api)
    api.allocate("patient", wait=True, durationMinutes=240)
    api.allocate("quick", wait=True, durationMinutes=10)

    api.send("DELETE", f"/api/allocations/{allocation['id']}")

    holders = rows.column("SELECT user_id FROM allocations WHERE status = 'ALLOCATED'")
    assert holders == ["quick"]


def test_a_reservation_is_retried_while_others_take_the_device(
    api: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.device()
    failures = [StaleSnapshotError()] * 10
    free_device = reservations.lock_free_device

    def contended(*arguments: Any) -> str | None:  # noqa: ANN401 - passed on
        if failures:
            raise failures.pop()
        return free_device(*arguments)

    monkeypatch.setattr(reservations, "lock_free_device", contended)

    assert reserve(api).status == 201


def test_the_device_of_a_cancelled_reservation_serves_the_waiting_line(
    api: Client, rows: Rows
) -> None:
    rows.device()
    target = f"/api/reservations/{reserve(api).body['id']}"
    place = api.allocate("patient", wait=True, durationMinutes=240).body

    api.send("DELETE", target)

    assert api.allocate("late").code == "no_device_available"
    assert api.get(f"/api/allocations/{place['id']}").body["userId"] == "patient"


def test_cancelling_a_reservation_does_not_take_the_device_from_its_holder(
    api: Client, rows: Rows
) -> None:
    rows.device()
    held = api.allocate("holder").body
    target = f"/api/reservations/{reserve(api).body['id']}"
    api.allocate("patient", wait=True)

    api.send("DELETE", target)

    assert api.get(f"/api/allocations/{held['id']}").body == held
    assert rows.column("SELECT user_id FROM allocations") == ["holder"]


def test_concurrent_reservations_do_not_share_a_device(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.devices(2)
    apis = [start_api() for _ in range(6)]

    def status(number: int) -> int:
        return reserve(apis[number], f"u{number}").status

    statuses = together(*(lambda number=number: status(number) for number in range(6)))

    assert Counter(statuses) == {201: 2, 409: 4}
    assert len(set(rows.column("SELECT device_id FROM reservations"))) == 2
