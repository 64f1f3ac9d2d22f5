"""Requests that are refused before the database is used; there is none here."""

from __future__ import annotations

from typing import Any

import pytest

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from tests.integration.api.client import Client
from tests.unit.api.test_routes import ENVIRONMENT

INVALID_MINUTES: tuple[object, ...] = (0, -1, 1441, 1.5, "60", True, 2**63, [], {})
FIELDS = ("userId", "durationMinutes", "minCpuCores", "minMemoryMB")


@pytest.fixture(scope="module")
def api() -> Client:
    return Client(AllocationApi(ApiSettings.model_validate(ENVIRONMENT)).handle)


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["body.userId"]),
        ({"userId": None}, ["body.userId"]),
        ({"userId": ""}, ["body.userId"]),
        ({"userId": "u" * 65}, ["body.userId"]),
        ({"userId": "u1\x00"}, ["body.userId"]),
        ({"userId": " u1"}, ["body.userId"]),
        ({"userId": "team/u1"}, ["body.userId"]),
        ({"userId": "u1?"}, ["body.userId"]),
        ({"userId": 1}, ["body.userId"]),
        ({"userId": ["u1"]}, ["body.userId"]),
        *(
            ({"userId": "u1", "durationMinutes": minutes}, ["body.durationMinutes"])
            for minutes in INVALID_MINUTES
        ),
        *(
            ({"userId": "u1", size: value}, [f"body.{size}"])
            for size in ("minCpuCores", "minMemoryMB")
            for value in (-1, 1_000_000_001, 0.5, "4")
        ),
        ({"userId": "u1", "minCpu": 4}, ["body.minCpu"]),
        ({"user_id": "u1"}, ["body.userId", "body.user_id"]),
        ({"durationMinutes": 0, "minCpuCores": "x"}, [f"body.{name}" for name in FIELDS[:3]]),
    ],
)
def test_an_invalid_body_is_refused_with_its_fields(
    api: Client, body: dict[str, Any], fields: list[str]
) -> None:
    reply = api.send("POST", "/api/allocations", body=body)

    assert (reply.status, reply.code, reply.fields) == (422, "invalid_request", fields)


@pytest.mark.parametrize("id_", ["team/1", "1?", "/", "?"])
@pytest.mark.parametrize(
    ("method", "path", "field"),
    [
        ("POST", "/api/reservations", "body.userId"),
        ("POST", "/api/allocations/batch", "body.requests.0.userId"),
        ("POST", "/api/allocations/batch/release", "body.allocationIds.0"),
        ("POST", "/api/allocations/batch/extend", "body.allocationIds.0"),
    ],
)
def test_an_id_that_a_path_cannot_contain_is_refused(
    api: Client, method: str, path: str, field: str, id_: str
) -> None:
    body = {
        "userId": id_,
        "startsAt": "2026-11-24T12:00:00Z",
        "requests": [{"userId": id_}],
        "allocationIds": [id_],
        "additionalMinutes": 1,
    }

    reply = api.send(method, path, body=body)

    assert reply.status == 422
    assert field in reply.fields


@pytest.mark.parametrize(
    ("raw", "content_type", "status"),
    [
        (b"", "application/json", 422),
        (b"{", "application/json", 422),
        (b"null", "application/json", 422),
        (b'[{"userId": "u1"}]', "application/json", 422),
        (b'{"userId": "u1", "durationMinutes": NaN}', "application/json", 422),
        (b'{"userId": "\xff"}', "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b'{"userId": "u1"}', "text/plain", 415),
        (b'{"userId": "u1"}', ";", 415),
        (b"", ";", 422),
        (b"", "multipart/form-data", 422),
        (b'{"userId": 1}', "application/x-www-form-urlencoded", 422),
        (b"userId=u1", "application/x-www-form-urlencoded", 415),
        (b"--x\r\n\r\n--x--", "multipart/form-data; boundary=x", 415),
        (b"\x00\xff", "application/octet-stream", 415),
    ],
)
def test_an_unreadable_body_is_a_client_error(
    api: Client, raw: bytes, content_type: str, status: int
) -> None:
    reply = api.send("POST", "/api/allocations", body=raw, headers={"content-type": content_type})

    assert reply.status == status
