"""Reservations that meet the line, or somebody else's transaction."""

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
    """Reserve what somebody else has locked; once it waits, he commits or rolls back."""
    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(reserve, api)
        eventually(lambda: reply.done() or bool(rows.all(WAITING)), "it waits for the device")
        getattr(other, ends)()
    return reply.result()


@pytest.mark.parametrize(("ends", "status"), [("commit", 409), ("rollback", 201)])
def test_whoever_is_just_given_a_device_for_longer_keeps_it(
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


def test_where_the_device_is_just_given_away_another_one_is_promised(
    api: Client, rows: Rows, other: Cursor
) -> None:
    rows.device("d1")
    rows.device("d2")
    other.execute("UPDATE devices SET health = 'failed' WHERE id = 'd1'")

    assert reserve_behind(other.connection, "commit", api, rows).status == 201
    assert rows.column("SELECT device_id FROM reservations") == ["d2"]


def test_who_waits_is_not_given_what_is_promised(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("holder").body
    reserve(api)
    api.allocate("patient", wait=True, durationMinutes=240)
    api.allocate("quick", wait=True, durationMinutes=10)

    api.send("DELETE", f"/api/allocations/{allocation['id']}")

    holders = rows.column("SELECT user_id FROM allocations WHERE status = 'ALLOCATED'")
    assert holders == ["quick"]


def test_however_often_the_device_is_just_given_away_it_is_tried_again(
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


def test_what_is_not_promised_any_more_is_given_to_the_first_in_line(
    api: Client, rows: Rows
) -> None:
    rows.device()
    target = f"/api/reservations/{reserve(api).body['id']}"
    place = api.allocate("patient", wait=True, durationMinutes=240).body

    api.send("DELETE", target)

    assert api.allocate("late").code == "no_device_available"
    assert api.get(f"/api/allocations/{place['id']}").body["userId"] == "patient"


def test_who_cancels_takes_nothing_from_whoever_holds_the_device(api: Client, rows: Rows) -> None:
    rows.device()
    held = api.allocate("holder").body
    target = f"/api/reservations/{reserve(api).body['id']}"
    api.allocate("patient", wait=True)

    api.send("DELETE", target)

    assert api.get(f"/api/allocations/{held['id']}").body == held
    assert rows.column("SELECT user_id FROM allocations") == ["holder"]


def test_the_last_slot_is_given_once(start_api: Callable[..., Client], rows: Rows) -> None:
    rows.devices(2)
    apis = [start_api() for _ in range(6)]

    def ask(number: int) -> int:
        return reserve(apis[number], f"u{number}").status

    answers = together(*(lambda number=number: ask(number) for number in range(6)))

    assert Counter(answers) == {201: 2, 409: 4}
    assert len(set(rows.column("SELECT device_id FROM reservations"))) == 2
