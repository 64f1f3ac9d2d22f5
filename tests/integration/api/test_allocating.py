from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.client import ADMIN, user

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows


def test_an_allocation_contains_what_the_user_needs_to_reach_the_device(
    api: Client, rows: Rows
) -> None:
    rows.user()
    rows.device(name="Cloud phone 1")

    reply = api.allocate("u1", user("u1"), durationMinutes=90)

    assert reply.status == 201
    found = reply.body
    allocated, expires = (
        datetime.fromisoformat(found.pop(name)) for name in ("allocatedAt", "expiresAt")
    )
    assert expires - allocated == timedelta(minutes=90)
    assert found.pop("id")
    assert found == {
        "userId": "u1",
        "deviceId": "d1",
        "deviceName": "Cloud phone 1",
        "status": "ALLOCATED",
        "releasedAt": None,
        "durationSeconds": None,
        "releaseCode": None,
        "releaseReason": None,
        "adbHost": "10.0.0.1",
        "adbPort": 5555,
    }


def test_an_allocation_writes_a_notification_and_an_event_in_its_transaction(
    api: Client, rows: Rows
) -> None:
    rows.device()

    allocation = api.allocate("u1").body

    assert rows.all("SELECT status, last_allocated_at IS NULL FROM devices") == [("allocated", 0)]
    assert rows.column("SELECT type FROM notifications") == ["allocation_success"]
    assert rows.column("SELECT channel FROM notification_deliveries") == ["websocket"]
    ((routing_key, body),) = rows.all("SELECT routing_key, body FROM outgoing_events")
    assert routing_key == "device.allocated"
    assert json.loads(body)["allocationId"] == allocation["id"]


def test_an_unknown_user_is_created_with_the_default_quota(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.devices(3)
    api = start_api(DEFAULT_MAX_DEVICES=2)

    replies = [api.allocate("newcomer") for _ in range(3)]

    assert [reply.status for reply in replies] == [201, 201, 403]
    assert rows.all("SELECT id, max_devices, status FROM users") == [("newcomer", 2, "active")]


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": "suspended"}, "user_suspended"),
        ({"status": "deleted"}, "user_deleted"),
        ({"billing_hold": True}, "billing_hold"),
        ({"max_devices": 0}, "quota_exceeded"),
        ({"max_cpu": 3}, "quota_exceeded"),
        ({"max_memory_mb": 8191}, "quota_exceeded"),
    ],
)
def test_the_state_and_quota_of_the_user_can_forbid_allocating(
    api: Client, rows: Rows, columns: dict[str, Any], code: str
) -> None:
    rows.user(**columns)
    rows.device()

    for claims in (user("u1"), ADMIN):
        reply = api.allocate("u1", claims)
        assert (reply.status, reply.code) == (403, code)
    assert not rows.all("SELECT id FROM allocations")
    assert rows.column("SELECT status FROM devices") == ["available"]


def test_quotas_count_the_devices_the_user_holds(api: Client, rows: Rows) -> None:
    rows.user(max_devices=3, max_cpu=10, max_memory_mb=20_000)
    rows.devices(4)

    assert [api.allocate("u1").status for _ in range(2)] == [201, 201]
    refused = api.allocate("u1")
    assert (refused.status, refused.code) == (403, "quota_exceeded")
    assert refused.body["error"]["details"] == {"left": {"cpuCores": 2, "memoryMB": 3616}}

    rows.device("small", cpu_cores=2, memory_mb=2048)
    assert api.allocate("u1").body["deviceId"] == "small"
    assert api.allocate("u1").body["error"]["details"]["quota"] == "devices"


@pytest.mark.parametrize(
    "columns",
    [{"status": "allocated"}]
    + [{"health": h} for h in ("stopped", "error", "failed", "maintenance", "deleted")],
)
def test_only_a_free_running_device_is_allocated(
    api: Client, rows: Rows, columns: dict[str, Any]
) -> None:
    rows.device(**columns)

    reply = api.allocate("u1")

    assert (reply.status, reply.code) == (409, "no_device_available")
    assert not rows.all("SELECT id FROM users")


@pytest.mark.parametrize(
    ("requirements", "device"),
    [
        ({}, "small"),
        ({"minCpuCores": 4}, "medium"),
        ({"minMemoryMB": 9000}, "large"),
        ({"minCpuCores": 3, "minMemoryMB": 16384}, "large"),
        ({"minCpuCores": 9}, None),
        ({"minMemoryMB": 1_000_000_000}, None),
    ],
)
def test_the_smallest_device_that_meets_the_requirements_is_allocated(
    api: Client, rows: Rows, requirements: dict[str, Any], device: str | None
) -> None:
    rows.device("large", cpu_cores=8, memory_mb=16384)
    rows.device("medium", cpu_cores=4, memory_mb=8192)
    rows.device("small", cpu_cores=2, memory_mb=8192)

    reply = api.allocate("u1", **requirements)

    assert reply.body.get("deviceId") == device


@pytest.mark.parametrize("strategy", ["resource_based", "round_robin", "random"])
def test_a_device_of_unknown_size_is_allocated_last(
    strategy: str, start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.device("a-unsized", cpu_cores=0, memory_mb=0)
    rows.device("b-half-sized", cpu_cores=2, memory_mb=0)
    rows.device("c-sized", cpu_cores=8, memory_mb=16384)
    api = start_api(ALLOCATION_STRATEGY=strategy)

    given = [api.allocate("u1").body["deviceId"] for _ in range(3)]

    assert given[0] == "c-sized"
    assert sorted(given[1:]) == ["a-unsized", "b-half-sized"]


def test_a_device_of_the_smallest_size_is_allocated(api: Client, rows: Rows) -> None:
    rows.device(cpu_cores=1, memory_mb=1)

    assert api.allocate("u1").status == 201


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        ({"cpu_cores": 4, "memory_mb": 0}, {"minCpuCores": 2}),
        ({"cpu_cores": 0, "memory_mb": 4096}, {"minMemoryMB": 2048}),
    ],
)
def test_a_device_of_which_only_the_wanted_size_is_known_is_allocated(
    api: Client, rows: Rows, known: dict[str, Any], wanted: dict[str, Any]
) -> None:
    rows.device(**known)

    assert api.allocate("u1", **wanted).status == 201


def test_a_user_with_a_quota_of_sizes_is_told_if_there_is_no_device_at_all(
    api: Client, rows: Rows
) -> None:
    rows.user("u1", max_cpu=8)

    assert api.allocate("u1").code == "no_device_available"


@pytest.mark.parametrize("quota", ["max_cpu", "max_memory_mb"])
def test_a_user_with_a_quota_of_sizes_gets_no_device_of_unknown_size(
    quota: str, api: Client, rows: Rows
) -> None:
    rows.user("u1", **{quota: 100_000})
    rows.device("unsized", cpu_cores=0, memory_mb=0)

    assert api.allocate("u1").code == "quota_exceeded"


def test_round_robin_allocates_the_longest_unused_device(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.devices(3)
    api = start_api(ALLOCATION_STRATEGY="round_robin")
    given = []

    for _ in range(6):
        allocation = api.allocate("u1").body
        given.append(allocation["deviceId"])
        api.send("DELETE", f"/api/allocations/{allocation['id']}")

    assert given == ["d001", "d002", "d003"] * 2


def test_random_allocates_every_device_eventually(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.user(max_devices=30)
    rows.devices(30)
    api = start_api(ALLOCATION_STRATEGY="random")

    given = [api.allocate("u1").body["deviceId"] for _ in range(30)]

    assert sorted(given) == [f"d{number:03}" for number in range(1, 31)]
    assert given != sorted(given)
    assert api.allocate("u1").code == "quota_exceeded"


def test_without_a_duration_the_setting_applies(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.device()

    allocation = start_api(DEFAULT_DURATION_MINUTES=15).allocate("u1").body

    lasts = datetime.fromisoformat(allocation["expiresAt"]) - datetime.fromisoformat(
        allocation["allocatedAt"]
    )
    assert lasts == timedelta(minutes=15)


def test_a_locked_device_is_skipped(
    api: Client, rows: Rows, locked_device: Callable[[str], Any]
) -> None:
    rows.devices(2)

    with locked_device("d001"):
        assert api.allocate("u1").body["deviceId"] == "d002"
