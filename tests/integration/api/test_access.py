"""Every route, called without a token, as owner, as another user and as administrator."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allocation_api.access import Access
from allocation_api.requests import MAX_BODY_BYTES
from tests.integration.api.client import ADMIN, user
from tests.integration.api.rules import RULES

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

OWNER = "u1"
SOON = (datetime.now(UTC) + timedelta(hours=2)).isoformat()
BODIES: dict[tuple[str, str], dict[str, Any]] = {
    ("POST", "/api/allocations"): {"userId": OWNER},
    ("POST", "/api/allocations/{allocation_id}/extend"): {"additionalMinutes": 1},
    ("POST", "/api/allocations/batch"): {"requests": [{"userId": OWNER}]},
    ("POST", "/api/allocations/batch/release"): {"allocationIds": ["{allocation_id}"]},
    ("POST", "/api/allocations/batch/extend"): {
        "allocationIds": ["{allocation_id}"],
        "additionalMinutes": 1,
    },
    ("POST", "/api/reservations"): {"userId": OWNER, "startsAt": SOON},
    ("PUT", "/api/devices/{device_id}"): {"name": "Cloud phone 1"},
    ("PUT", "/api/users/{user_id}"): {"maxDevices": 5},
    ("PUT", "/api/users/{user_id}/preferences"): {},
}
CALLERS = {"no token": None, "owner": user(OWNER), "another user": user("u2"), "admin": ADMIN}
ALLOWED = {
    Access.ANYONE: {"no token", "owner", "another user", "admin"},
    Access.USER: {"owner", "another user", "admin"},
    Access.OWNER: {"owner", "admin"},
    Access.EACH: {"owner", "admin"},
    Access.ADMIN: {"admin"},
}
# Without broker and AWS they return 503.
UNAVAILABLE = {("GET", "/api/health"), ("POST", "/api/realtime/ticket")}


@pytest.fixture
def ids(api: Client, rows: Rows) -> dict[str, str]:
    """The parameters of the paths: resources that exist and belong to the owner."""
    rows.devices(5)
    allocation_id = api.allocate(OWNER).body["id"]
    (notification_id,) = rows.column("SELECT id FROM notifications")
    place_id = api.allocate(OWNER, wait=True, minCpuCores=999).body["id"]
    reserved = api.send("POST", "/api/reservations", ADMIN, {"userId": OWNER, "startsAt": SOON})
    return {
        "user_id": OWNER,
        "place_id": place_id,
        "reservation_id": reserved.body["id"],
        "device_id": "d001",
        "allocation_id": allocation_id,
        "notification_id": notification_id,
    }


def body(route: tuple[str, str], ids: dict[str, str]) -> Any:  # noqa: ANN401 - any JSON
    if route not in BODIES:
        return None
    text = json.dumps(BODIES[route])
    return json.loads(text.replace("{allocation_id}", ids["allocation_id"]))


@pytest.mark.parametrize("route", RULES, ids=" ".join)
def test_a_route_admits_exactly_the_callers_of_its_rule(
    api: Client, ids: dict[str, str], route: tuple[str, str]
) -> None:
    method, path = route

    for caller, claims in CALLERS.items():
        reply = api.send(method, path.format(**ids), claims, body(route, ids))

        if caller == "another user" and RULES[route] is Access.EACH:
            assert (reply.status, reply.body["success"], reply.body["failed"]) == (200, 0, 1)
            assert reply.body["results"][0]["error"]["code"] == "forbidden"
        elif caller in ALLOWED[RULES[route]]:
            assert reply.status in {200, 201} or route in UNAVAILABLE, caller
            assert RULES[route] is not Access.EACH or reply.body["failed"] == 0, caller
        elif caller == "no token":
            assert (reply.status, reply.code) == (401, "unauthorized")
            assert reply.headers["WWW-Authenticate"] == "Bearer"
        else:
            assert (reply.status, reply.code) == (403, "forbidden"), caller


WRONG_BODIES = {
    "another field": ({"unknown": 1}, "application/json"),
    "not JSON": (b"{", "application/json"),
    "not text": (b"\xff", "application/json"),
    "too long": (b" " * (MAX_BODY_BYTES + 1), "application/json"),
    "another type": (b"<a/>", "text/xml"),
}
# Who owns the resource is known only from the body, or is looked up when the request is valid.
OWNER_IN_BODY = {
    *(route for route, access in RULES.items() if access is Access.EACH),
    ("POST", "/api/allocations"),
    ("POST", "/api/reservations"),
    ("POST", "/api/allocations/{allocation_id}/extend"),
}


@pytest.mark.parametrize("kind", WRONG_BODIES)
def test_access_is_checked_before_the_body_is_read(
    api: Client, ids: dict[str, str], kind: str
) -> None:
    wrong, content_type = WRONG_BODIES[kind]
    headers = {"content-type": content_type}

    for (method, path), access in RULES.items():
        target = path.format(**ids)
        if access is not Access.ANYONE:
            assert api.send(method, target, None, wrong, headers).status == 401, target
        if access in {Access.ADMIN, Access.OWNER} and (method, path) not in OWNER_IN_BODY:
            assert api.send(method, target, user("u2"), wrong, headers).status == 403, target


def test_a_refused_request_changes_nothing(api: Client, rows: Rows, ids: dict[str, str]) -> None:
    counts = (
        "SELECT COUNT(*), MAX(expires_at), (SELECT COUNT(*) FROM notifications) FROM allocations"
    )
    before = rows.all(counts)

    for claims in (None, user("u2")):
        api.allocate(OWNER, claims)
        target = f"/api/allocations/{ids['allocation_id']}"
        api.send("DELETE", target, claims)
        api.send("POST", f"{target}/extend", claims, {"additionalMinutes": 1})
        for route, access in RULES.items():
            if access is Access.EACH:
                api.send(*route, claims, body(route, ids))
        api.send("PUT", f"/api/users/{OWNER}", claims, {"maxDevices": 0})

    assert rows.all(counts) == before
    assert rows.column("SELECT status FROM allocations") == ["ALLOCATED"]


def test_a_missing_resource_is_not_found_by_callers_with_access(api: Client, rows: Rows) -> None:
    rows.user(OWNER)
    missing = "01900000-0000-7000-8000-000000000000"

    for target in (
        f"/api/allocations/{missing}",
        "/api/allocations/no-uuid",
        "/api/devices/nothing",
        "/api/nothing",
        "/api/allocations/",
        "/api/users/a/b",
    ):
        reply = api.get(target, user(OWNER))
        assert (reply.status, reply.code) == (404, "not_found"), target
    target = f"/api/users/{OWNER}/notifications/{missing}/read"
    assert api.send("POST", target, user(OWNER)).code == "not_found"
    assert api.get("/api/users/unknown").code == "not_found"
    assert api.get("/api/nothing", claims=None).code == "unauthorized"


@pytest.mark.parametrize(
    ("method", "target", "allowed"),
    [
        ("PATCH", "/api/devices", "GET"),
        ("GET", "/api/allocations", "POST"),
        ("PUT", "/api/allocations/x", "DELETE, GET"),
        ("DELETE", "/api/users/u1", "GET, PUT"),
        ("HEAD", "/api/devices", "GET"),
        ("POST", "/api/health", "GET"),
        ("PATCH", "/api/allocations/batch", "POST"),
    ],
)
def test_other_methods_are_refused_with_the_allowed_ones(
    api: Client, method: str, target: str, allowed: str
) -> None:
    reply = api.send(method, target)

    assert (reply.status, reply.code) == (405, "method_not_allowed")
    assert reply.headers["Allow"] == allowed
