"""Administrators change the description and the adb address of devices."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.client import ADMIN, user
from tests.integration.api.test_concurrent_allocation import at_once, inconsistent_devices, post
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.logged import logged
from tests.support.together import eventually

if TYPE_CHECKING:
    from pymysql.cursors import Cursor

    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows

EVERYTHING = {
    "name": "云手机 1",
    "cpuCores": 8,
    "memoryMB": 16384,
    "storageMB": 131072,
    "adbHost": "phone-1.example.com",
    "adbPort": 5037,
}
ADDRESS = {"adbHost": "2001:db8::1", "adbPort": 65535}
WAITING = """
    SELECT 1 FROM information_schema.processlist
    WHERE info LIKE '%%FROM devices d%%FOR UPDATE%%' AND id <> CONNECTION_ID()
"""


def change(api: Client, claims: dict[str, str] | None = ADMIN, /, **fields: object) -> Reply:
    return api.send("PUT", "/api/devices/d1", claims, fields)


def test_a_change_stores_its_fields_and_keeps_the_others(api: Client, rows: Rows) -> None:
    rows.device(health="failed")
    before = api.get("/api/devices/d1").body

    everything = change(api, **EVERYTHING)
    name_only = change(api, name="Cloud phone 1")

    assert everything.status == 200
    assert everything.body == before | EVERYTHING
    assert name_only.body == before | EVERYTHING | {"name": "Cloud phone 1"}
    assert api.get("/api/devices/d1").body == name_only.body


@pytest.mark.parametrize("version", [None, 7])
def test_an_older_event_does_not_undo_a_change(
    api: Client, rows: Rows, database_url: str, version: int | None
) -> None:
    rows.device(health="stopped", cpu_cores=4, memory_mb=0)
    before = datetime.now(UTC) - timedelta(minutes=1)
    created: dict[str, Any] = {
        "name": "old",
        "cpuCores": 2,
        "memoryMB": 2048,
        "adbHost": "old",
        "adbPort": 1,
    }

    change(api, name="edited", **ADDRESS)
    with Functions(database_url, clock=lambda: datetime.now(UTC)) as functions:
        older = functions.handle(message("device.created", at=before, version=version, **created))
        kept = api.get("/api/devices/d1").body
        at, later = datetime.now(UTC), version and version + 1
        newer = functions.handle(message("device.created", at=at, version=later, **created))

    edited = {"name": "edited", "cpuCores": 4, "memoryMB": 2048, **ADDRESS}
    assert (older, newer) == ({"success": 1}, {"success": 1})
    assert {name: kept[name] for name in edited} == edited
    assert kept["health"] == "running"
    assert {name: api.get("/api/devices/d1").body[name] for name in created} == created


def test_an_empty_change_changes_nothing(api: Client, rows: Rows) -> None:
    rows.device()
    before = api.get("/api/devices/d1").body

    assert change(api).body == before


def test_the_holder_sees_the_new_address(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body

    change(api, **ADDRESS)

    for path in (f"/api/allocations/{allocation['id']}", "/api/devices/d1"):
        seen = api.get(path, user("u1")).body
        assert {name: seen[name] for name in ADDRESS} == ADDRESS
    assert api.get("/api/devices/d1", user("stranger")).body["adbHost"] is None


def test_a_new_allocation_shows_the_new_address(api: Client, rows: Rows) -> None:
    rows.device(adb_host=None, adb_port=None)
    change(api, **ADDRESS)

    created = api.allocate("u1", user("u1")).body

    assert {name: created[name] for name in ADDRESS} == ADDRESS


def test_only_an_administrator_may_change_a_device(api: Client, rows: Rows) -> None:
    rows.device()
    api.allocate("u1")

    holder, nobody = change(api, user("u1"), **ADDRESS), change(api, None, **ADDRESS)

    assert (holder.status, nobody.status) == (403, 401)
    assert rows.column("SELECT adb_host FROM devices") == ["10.0.0.1"]


def test_an_unknown_device_is_not_created(api: Client, rows: Rows) -> None:
    reply = change(api, **EVERYTHING)

    assert (reply.status, reply.code) == (404, "not_found")
    assert rows.all("SELECT id FROM devices") == []


def test_a_deleted_device_cannot_be_changed(api: Client, rows: Rows) -> None:
    rows.device(health="deleted")

    reply = change(api, **EVERYTHING)

    assert (reply.status, reply.code) == (409, "device_deleted")
    assert rows.column("SELECT name FROM devices") == ["d1"]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        *(
            ({"name": name}, ["body.name"])
            for name in ("", " d1", "d1 ", "d\n1", "\u2028", "d\x7f", "d" * 129, None, 5)
        ),
        *(
            ({"adbHost": host}, ["body.adbHost"])
            for host in ("", "a b", "a/b", "主机", "h" * 256, "a\n", None, 5)
        ),
        *(({"adbPort": port}, ["body.adbPort"]) for port in (0, -1, 65536, "5555", None, True)),
        *(({"cpuCores": cores}, ["body.cpuCores"]) for cores in (-1, 1.5, "4", None, 10**9 + 1)),
        ({"memoryMB": -1, "storageMB": None}, ["body.memoryMB", "body.storageMB"]),
        ({"memoryMb": 1}, ["body.memoryMb"]),
        ({"status": "available"}, ["body.status"]),
        ({"health": "running"}, ["body.health"]),
        ({"id": "d2"}, ["body.id"]),
    ],
)
def test_an_invalid_change_is_refused_with_its_fields(
    api: Client, rows: Rows, body: dict[str, Any], fields: list[str]
) -> None:
    rows.device()

    reply = change(api, **body)

    assert (reply.status, reply.fields) == (422, fields)


def test_a_device_that_grows_is_allocated_to_a_waiting_user_whose_requirements_it_meets(
    api: Client, rows: Rows
) -> None:
    rows.device()
    waiting = api.allocate("u1", wait=True, minCpuCores=8).body["id"]

    change(api, cpuCores=8)

    assert api.get(f"/api/allocations/{waiting}", user("u1")).body["deviceId"] == "d1"


def test_the_log_names_the_administrator_and_the_fields(api: Client, rows: Rows) -> None:
    rows.device()

    with logged() as lines:
        change(api, **ADDRESS)

    (line,) = [one for one in lines() if one["message"] == "Changed a device"]
    assert (line["device_id"], line["actor"]) == ("d1", "user:root")
    assert line["changed"] == {"adb_host": ADDRESS["adbHost"], "adb_port": ADDRESS["adbPort"]}


def test_a_change_waits_for_an_allocation_and_does_not_undo_it(
    api: Client, rows: Rows, other: Cursor
) -> None:
    rows.user()
    rows.device()
    other.execute("UPDATE devices SET status = 'allocated' WHERE id = 'd1'")
    other.execute(
        "INSERT INTO allocations (id, user_id, device_id, status, allocated_at, expires_at)"
        " VALUES (UUID(), 'u1', 'd1', 'ALLOCATED', NOW(6), NOW(6) + INTERVAL 1 HOUR)"
    )

    with ThreadPoolExecutor(1) as pool:
        reply = pool.submit(change, api, name="Cloud phone 1")
        eventually(lambda: bool(rows.all(WAITING)), "the change waits for the device's row")
        other.connection.commit()

    assert (reply.result().status, reply.result().body["status"]) == (200, "allocated")
    assert not inconsistent_devices(rows)


def test_changes_and_allocations_at_the_same_moment_lose_nothing(
    api_environment: dict[str, str], rows: Rows
) -> None:
    rows.devices(20)
    changes = (
        {"method": "PUT", "target": f"/api/devices/d{number:03}", "body": ADDRESS}
        for number in range(1, 21)
    )

    responses = at_once(api_environment, [*changes, *(post(f"u{n}") for n in range(20))])

    statuses = [status for status, _ in responses]
    assert (statuses.count(200), statuses.count(201)) == (20, 20)
    assert rows.column("SELECT DISTINCT adb_host FROM devices") == [ADDRESS["adbHost"]]
    assert rows.column("SELECT DISTINCT status FROM devices") == ["allocated"]
    assert not inconsistent_devices(rows)
