from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.integration.api.client import user

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows


def extend(
    api: Client,
    allocation: dict[str, Any],
    minutes: object = 30,
    key: str | None = None,
) -> Reply:
    target = f"/api/allocations/{allocation['id']}/extend"
    headers = {"idempotency-key": key} if key else {}
    return api.send("POST", target, user("u1"), {"additionalMinutes": minutes}, headers)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def test_an_extended_allocation_ends_later(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1", durationMinutes=10).body

    reply = extend(api, allocation, 30)

    assert reply.status == 200
    later = moment(allocation["expiresAt"]) + timedelta(minutes=30)
    assert moment(reply.body["expiresAt"]) == later
    assert reply.body == {**allocation, "expiresAt": reply.body["expiresAt"]}
    assert api.get(f"/api/allocations/{allocation['id']}").body == reply.body


def test_an_extension_is_published(api: Client, rows: Rows) -> None:
    rows.device()
    expires_at = extend(api, api.allocate("u1").body).body["expiresAt"]

    key, body = rows.all("SELECT routing_key, body FROM outgoing_events ORDER BY id DESC")[0]

    assert key == "device.extended"
    assert moment(json.loads(body)["expiresAt"]) == moment(expires_at)


def test_extensions_add_up_unless_the_idempotency_key_is_the_same(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body

    replies = [extend(api, allocation, 5, key) for key in ("a", "a", "b", None)]

    ends = [moment(reply.body["expiresAt"]) for reply in replies]
    before = moment(allocation["expiresAt"])
    assert [(end - before).total_seconds() / 60 for end in ends] == [5, 5, 10, 15]
    assert extend(api, allocation, 6, "a").fields == ["header.idempotency-key"]


def test_the_key_of_an_allocation_is_refused_for_its_extension(api: Client, rows: Rows) -> None:
    rows.device()
    body, headers = {"userId": "u1"}, {"idempotency-key": "k"}
    allocation = api.send("POST", "/api/allocations", body=body, headers=headers).body

    assert extend(api, allocation, 5, "k").fields == ["header.idempotency-key"]


def test_the_key_of_an_extension_is_refused_for_another_allocation(api: Client, rows: Rows) -> None:
    rows.devices(2)
    first, second = api.allocate("u1").body, api.allocate("u1").body
    extend(api, first, 5, "k")

    assert extend(api, second, 5, "k").fields == ["header.idempotency-key"]


def test_an_ended_allocation_is_not_extended(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    api.send("DELETE", f"/api/allocations/{allocation['id']}")

    reply = extend(api, allocation)

    assert (reply.status, reply.code) == (409, "not_active")
    assert reply.body["error"]["details"] == {"status": "RELEASED"}


def test_an_overdue_allocation_is_extended_from_now(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.run("UPDATE allocations SET expires_at = NOW(6) - INTERVAL 50 SECOND")

    reply = extend(api, allocation, 1)

    assert moment(reply.body["expiresAt"]) > moment(allocation["allocatedAt"])
    (left,) = rows.column("SELECT TIMESTAMPDIFF(SECOND, NOW(6), expires_at) FROM allocations")
    assert 50 < left <= 60


def test_a_user_who_may_not_allocate_may_not_extend(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.update("users", "u1", billing_hold=True)

    assert (extend(api, allocation).status, extend(api, allocation).code) == (403, "billing_hold")


def test_no_allocation_lasts_longer_than_the_limit(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    api = start_api(MAX_DURATION_MINUTES=1500)
    rows.device()
    allocation = api.allocate("u1", durationMinutes=1440).body

    reply = extend(api, allocation, 61)

    assert (reply.status, reply.code) == (409, "duration_exceeded")
    details = reply.body["error"]["details"]
    assert details["maxMinutes"] == 1500
    assert moment(details["latest"]) == moment(allocation["allocatedAt"]) + timedelta(minutes=1500)
    assert extend(api, allocation, 60).status == 200
    assert extend(api, allocation, 1).code == "duration_exceeded"


def test_an_extension_sends_no_notification(api: Client, rows: Rows) -> None:
    rows.device()
    extend(api, api.allocate("u1").body)

    assert rows.column("SELECT type FROM notifications") == ["allocation_success"]
