from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows


def allocate(api: Client, key: str, user_id: str = "u1", **fields: Any) -> Reply:  # noqa: ANN401 - JSON
    body = {"userId": user_id, **fields}
    return api.send("POST", "/api/allocations", body=body, headers={"idempotency-key": key})


def test_the_same_key_returns_the_same_allocation(api: Client, rows: Rows) -> None:
    rows.devices(3)

    first, second = allocate(api, "key,1"), allocate(api, "key,1")

    assert first.status == second.status == 201
    assert first.body == second.body
    assert len(rows.all("SELECT id FROM allocations")) == 1
    assert len(rows.all("SELECT id FROM outgoing_events")) == 1


def test_a_key_outlives_the_allocation_and_a_suspension(api: Client, rows: Rows) -> None:
    rows.devices(3)
    allocation = allocate(api, "key").body
    api.send("DELETE", f"/api/allocations/{allocation['id']}")
    rows.update("users", "u1", status="suspended")

    again = allocate(api, "key")

    assert again.status == 201
    assert (again.body["id"], again.body["status"]) == (allocation["id"], "RELEASED")


def test_another_key_or_another_user_gets_another_allocation(api: Client, rows: Rows) -> None:
    rows.devices(3)

    replies = [allocate(api, "a"), allocate(api, "b"), allocate(api, "a", "u2")]

    assert len({reply.body["id"] for reply in replies}) == 3


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"durationMinutes": 30}, {"durationMinutes": 31}),
        ({"minCpuCores": 1}, {"minCpuCores": 2}),
        ({"minMemoryMB": 1024}, {"minMemoryMB": 2048}),
        ({}, {"wait": True}),
        ({"wait": True, "priority": 1}, {"wait": True, "priority": 2}),
    ],
)
def test_a_key_cannot_be_reused_for_another_request(
    api: Client, rows: Rows, first: dict[str, Any], second: dict[str, Any]
) -> None:
    rows.devices(3)
    assert allocate(api, "key", **first).status == 201

    reply = allocate(api, "key", **second)

    assert (reply.status, reply.fields) == (422, ["header.idempotency-key"])


def test_a_refusal_does_not_use_up_the_key(api: Client, rows: Rows) -> None:
    assert allocate(api, "key").status == 409
    rows.device()

    assert allocate(api, "key").status == 201


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "k" * 129])
def test_an_invalid_key_is_refused(api: Client, rows: Rows, key: str) -> None:
    rows.device()

    reply = allocate(api, key)

    assert (reply.status, reply.fields) == (422, ["header.idempotency-key"])
