"""Reservations of devices for a time slot."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.allocation import reservation_book as book
from tests.integration.api.client import user

if TYPE_CHECKING:
    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows

NOON = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=3)
HOUR = timedelta(hours=1)


def reserve(
    api: Client,
    user_id: str = "u1",
    at: datetime = NOON,
    key: str | None = None,
    **fields: Any,  # noqa: ANN401 - JSON
) -> Reply:
    headers = {"idempotency-key": key} if key else {}
    body = {"userId": user_id, "startsAt": at.isoformat(), **fields}
    return api.send("POST", "/api/reservations", body=body, headers=headers)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_a_reservation_names_the_slot_but_not_the_device(api: Client, rows: Rows) -> None:
    rows.device()

    reserved = reserve(api, durationMinutes=30, minCpuCores=2)

    assert reserved.status == 201
    assert (reserved.body["status"], reserved.body["allocationId"]) == ("RESERVED", None)
    assert moment(reserved.body["startsAt"]) == NOON
    assert moment(reserved.body["endsAt"]) == NOON + HOUR / 2
    assert api.get(f"/api/reservations/{reserved.body['id']}").body == reserved.body
    assert api.get("/api/reservations/user/u1", user("u1")).body["items"] == [reserved.body]


def test_a_taken_slot_is_refused_with_the_nearest_free_one(api: Client, rows: Rows) -> None:
    rows.device()
    reserve(api)
    reserve(api, at=NOON + 1.5 * HOUR)

    refused = reserve(api, "u2", at=NOON + HOUR / 4)

    assert (refused.status, refused.code) == (409, "slot_taken")
    nearest = refused.body["error"]["details"]["nearest"]
    assert moment(nearest["startsAt"]) == NOON + 2.5 * HOUR
    assert moment(nearest["endsAt"]) == NOON + 3.5 * HOUR
    assert reserve(api, "u2", at=moment(nearest["startsAt"])).status == 201


def test_slots_may_be_adjacent(api: Client, rows: Rows) -> None:
    rows.device()

    assert reserve(api).status == 201
    assert reserve(api, "u2", at=NOON + HOUR).status == 201
    assert reserve(api, "u3", at=NOON - HOUR).status == 201


def test_each_reservation_has_a_device_of_its_own(api: Client, rows: Rows) -> None:
    rows.devices(2)

    statuses = [reserve(api, f"u{number}").status for number in range(3)]

    assert statuses == [201, 201, 409]


def test_small_requirements_reserve_a_small_device(api: Client, rows: Rows) -> None:
    rows.device("large", cpu_cores=8)
    rows.device("small", cpu_cores=2)

    assert reserve(api, "u1").status == 201
    assert reserve(api, "u2", minCpuCores=8).status == 201


def test_an_allocation_that_overlaps_the_slot_counts(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("holder", durationMinutes=240).body

    refused = reserve(api)

    nearest = refused.body["error"]["details"]["nearest"]
    assert moment(nearest["startsAt"]) == moment(allocation["expiresAt"])
    assert reserve(api, at=NOON + 2 * HOUR).status == 201


@pytest.mark.parametrize("device", [{"health": "failed"}, {"cpu_cores": 1}])
def test_without_a_suitable_device_there_is_no_nearest_slot(
    api: Client, rows: Rows, device: dict[str, Any]
) -> None:
    rows.device(**device)

    refused = reserve(api, minCpuCores=2)

    assert (refused.status, refused.code) == (409, "no_device_available")
    assert "details" not in refused.body["error"]


@pytest.mark.parametrize(
    "at",
    [
        NOON - 4 * HOUR,
        NOON + timedelta(days=31),
        datetime(9999, 12, 31, 23, tzinfo=timezone(-HOUR)),  # 10000 in UTC
        datetime(1, 1, 1, tzinfo=timezone(HOUR)),
    ],
)
def test_a_slot_in_the_past_or_the_far_future_is_refused(api: Client, at: datetime) -> None:
    refused = reserve(api, at=at)

    assert (refused.status, refused.fields) == (422, ["body.startsAt"])


@pytest.mark.parametrize(
    "at",
    [NOON.replace(tzinfo=None).isoformat(), NOON.timestamp(), f"{NOON.timestamp():.0f}"],
    # The values come from the clock, so ids made of them would differ between xdist's workers.
    ids=["date", "number", "text"],
)
def test_a_time_without_a_zone_is_refused(api: Client, at: object) -> None:
    body = {"userId": "u1", "startsAt": at}

    refused = api.send("POST", "/api/reservations", body=body)

    assert (refused.status, refused.fields) == (422, ["body.startsAt"])


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": "suspended"}, "user_suspended"),
        ({"billing_hold": True}, "billing_hold"),
        ({"max_devices": 0}, "quota_exceeded"),
    ],
)
def test_a_user_who_may_not_allocate_may_not_reserve(
    api: Client, rows: Rows, columns: dict[str, Any], code: str
) -> None:
    rows.device()
    rows.user("u1", **columns)

    assert reserve(api).code == code


def test_overlapping_reservations_count_against_the_quota(api: Client, rows: Rows) -> None:
    rows.devices(3)
    rows.user("u1", max_devices=1)

    assert reserve(api, at=NOON).status == 201
    refused = reserve(api, at=NOON + HOUR / 2)
    assert refused.code == "quota_exceeded"
    assert refused.body["error"]["details"] == {"quota": "devices", "limit": 1, "reserved": 1}
    assert reserve(api, at=NOON + HOUR).status == 201
    assert reserve(api, at=NOON - HOUR).status == 201


def test_the_number_of_open_reservations_is_limited(
    api: Client, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows.device()
    monkeypatch.setattr(book, "MAX_OPEN_RESERVATIONS", 2)

    replies = [reserve(api, at=NOON + number * HOUR) for number in range(3)]

    assert [one.status for one in replies] == [201, 201, 403]
    details = {"quota": "reservations", "limit": 2, "reserved": 2}
    assert replies[2].body["error"]["details"] == details
    assert reserve(api, "u2", at=NOON + 2 * HOUR).status == 201


def test_a_device_larger_than_the_quota_is_not_reserved(api: Client, rows: Rows) -> None:
    rows.device(cpu_cores=8)
    rows.user("u1", max_cpu=4)

    assert reserve(api).code == "no_device_available"


def test_a_cancelled_slot_is_free_again(api: Client, rows: Rows) -> None:
    rows.device()
    target = f"/api/reservations/{reserve(api).body['id']}"

    cancelled = api.send("DELETE", target, user("u1"))

    assert (cancelled.status, cancelled.body["status"]) == (200, "CANCELLED")
    assert api.send("DELETE", target).body == cancelled.body
    assert reserve(api, "u2").status == 201
    assert api.get("/api/reservations/user/u1").body["items"] == []


def test_a_repeated_request_reserves_once(api: Client, rows: Rows) -> None:
    rows.devices(2)

    first, second = reserve(api, key="k"), reserve(api, key="k")

    assert first.body == second.body
    assert reserve(api, key="k", durationMinutes=5).status == 422
    assert len(rows.all("SELECT id FROM reservations")) == 1


@pytest.mark.parametrize("size", ["minCpuCores", "minMemoryMB"])
def test_the_key_of_a_reservation_is_refused_for_another_size(
    api: Client, rows: Rows, size: str
) -> None:
    small: dict[str, Any] = {size: 1}
    large: dict[str, Any] = {size: 2}
    rows.devices(2)
    assert reserve(api, key="k", **small).status == 201

    assert reserve(api, key="k", **large).status == 422


def test_an_unknown_user_who_reserves_is_created(api: Client, rows: Rows) -> None:
    rows.device()

    reserve(api, "stranger")

    assert rows.column("SELECT id FROM users") == ["stranger"]


def test_reservations_of_other_users_are_inaccessible(api: Client, rows: Rows) -> None:
    rows.device()
    target = f"/api/reservations/{reserve(api).body['id']}"

    assert api.get(target, user("u2")).status == 403
    assert api.send("DELETE", target, user("u2")).status == 403
    assert api.get("/api/reservations/user/u1", user("u2")).status == 403
    assert api.get("/api/reservations/nothing").status == 404


def test_a_reserved_device_is_allocated_if_the_allocation_ends_before_the_slot(
    api: Client, rows: Rows
) -> None:
    rows.device()
    reserve(api)

    assert api.allocate("u2", durationMinutes=240).code == "no_device_available"
    assert api.allocate("u2", durationMinutes=60).status == 201


def test_devices_without_a_reservation_are_allocated_to_others(api: Client, rows: Rows) -> None:
    rows.devices(2)
    reserve(api)

    given = [api.allocate(f"u{number}", durationMinutes=240) for number in (2, 3)]

    assert [one.status for one in given] == [201, 409]
    assert given[0].body["deviceId"] == "d002"


def test_a_batch_respects_reservations_for_each_duration(api: Client, rows: Rows) -> None:
    rows.devices(2)
    reserve(api)
    requests = [{"userId": "u2", "durationMinutes": minutes} for minutes in (60, 240, 60)]

    results = api.send("POST", "/api/allocations/batch", body={"requests": requests}).body

    assert (results["success"], results["failed"]) == (2, 1)
    assert (
        rows.column(
            "SELECT a.device_id FROM allocations a JOIN reservations r ON r.device_id = a.device_id"
            " WHERE a.expires_at > r.starts_at"
        )
        == []
    )


def test_an_allocation_is_not_extended_into_a_reservation(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u2").body
    reserve(api)
    target = f"/api/allocations/{allocation['id']}/extend"

    refused = api.send("POST", target, body={"additionalMinutes": 240})

    assert (refused.status, refused.code) == (409, "device_reserved")
    assert moment(refused.body["error"]["details"]["reservedFrom"]) == NOON
    assert api.send("POST", target, body={"additionalMinutes": 30}).status == 200
