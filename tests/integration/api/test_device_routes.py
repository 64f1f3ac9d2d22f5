from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.integration.api.client import ADMIN, user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows


def test_a_device_is_shown_with_its_state_and_size(api: Client, rows: Rows) -> None:
    rows.device(name="Cloud phone 1", health="failed")

    reply = api.get("/api/devices/d1")

    assert reply.status == 200
    assert reply.body == {
        "id": "d1",
        "name": "Cloud phone 1",
        "status": "available",
        "health": "failed",
        "cpuCores": 4,
        "memoryMB": 8192,
        "storageMB": 65536,
        "adbHost": "10.0.0.1",
        "adbPort": 5555,
    }


def test_only_the_holder_and_administrators_see_the_adb_address(api: Client, rows: Rows) -> None:
    rows.devices(2)
    mine = api.allocate("u1").body
    other = api.allocate("u2").body["deviceId"]

    def seen_by(claims: dict[str, str]) -> set[str]:
        listed = api.get("/api/devices", claims).body["items"]
        single = [api.get(f"/api/devices/{d['id']}", claims).body for d in listed]
        assert single == listed
        return {device["id"] for device in listed if device["adbHost"] or device["adbPort"]}

    assert seen_by(user("u1")) == {mine["deviceId"]}
    assert seen_by(user("stranger")) == set()
    assert seen_by(ADMIN) == {mine["deviceId"], other}
    api.send("DELETE", f"/api/allocations/{mine['id']}")
    assert seen_by(user("u1")) == set()


def test_devices_are_filtered_and_paged_by_id(api: Client, rows: Rows) -> None:
    rows.devices(5)
    rows.update("devices", "d002", health="failed")
    rows.update("devices", "d004", status="allocated")

    def ids(query: str) -> list[str]:
        return [device["id"] for device in api.get(f"/api/devices?{query}").body["items"]]

    assert ids("") == ["d001", "d002", "d003", "d004", "d005"]
    assert ids("status=available&health=running") == ["d001", "d003", "d005"]
    assert ids("health=failed") == ["d002"]
    assert ids("status=allocated") == ["d004"]
    first = api.get("/api/devices?status=available&limit=2").body
    assert [device["id"] for device in first["items"]] == ["d001", "d002"]
    assert ids(f"status=available&limit=2&cursor={quote(first['nextCursor'])}") == ["d003", "d005"]


@pytest.mark.parametrize("query", ["status=free", "health=fine", "limit=-1", "cursor=WzFd"])
def test_an_invalid_query_is_refused_with_its_field(api: Client, query: str) -> None:
    reply = api.get(f"/api/devices?{query}")

    assert (reply.status, reply.fields) == (422, [f"query.{query.partition('=')[0]}"])


@pytest.mark.parametrize("id_", ["设备 1", "📱", "a%b", "50%25", 'it\'s "quoted"', "...", "a+b&c"])
def test_any_valid_id_is_found(api: Client, rows: Rows, id_: str) -> None:
    rows.device(id_)

    assert api.get(f"/api/devices/{quote(id_, safe='')}").body["id"] == id_
