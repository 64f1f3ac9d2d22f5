from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.integration.api.client import user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows


def test_a_released_device_can_be_allocated_again(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body

    reply = api.send("DELETE", f"/api/allocations/{allocation['id']}", user("u1"))

    assert reply.status == 200
    assert reply.body["status"] == "RELEASED"
    assert reply.body["releaseCode"] == "user_request"
    assert reply.body["releaseReason"] == "用户主动释放"
    assert reply.body["durationSeconds"] == 0
    assert reply.body["releasedAt"] >= allocation["allocatedAt"]
    assert reply.body["expiresAt"] == allocation["expiresAt"]
    assert reply.body["adbHost"] is reply.body["adbPort"] is None
    assert api.allocate("u2").status == 201


@pytest.mark.parametrize(
    ("locale", "header", "reason"),
    [
        ("zh-CN", None, "配额已调整为 0 台设备"),
        ("en", None, "Quota changed to 0 devices"),
        ("zh-CN", "en-GB,en;q=0.8,zh;q=0.5", "Quota changed to 0 devices"),
        ("en", "fr, zh-TW;q=0.8, en;q=0.2", "配额已调整为 0 台设备"),
        ("en", "fr", "Quota changed to 0 devices"),
    ],
)
def test_the_reason_is_shown_in_the_callers_language(
    api: Client, rows: Rows, locale: str, header: str | None, reason: str
) -> None:
    rows.device()
    rows.user(locale=locale)
    id_ = api.allocate("u1").body["id"]
    api.send("PUT", "/api/users/u1", body={"maxDevices": 0})
    headers = {"accept-language": header} if header else None

    for target in (f"/api/allocations/{id_}", "/api/allocations/user/u1"):
        body = api.send("GET", target, user("u1"), headers=headers).body
        (shown,) = body.get("items", [body])
        assert (shown["releaseCode"], shown["releaseReason"]) == ("quota_updated", reason)
    history = api.send("GET", f"/api/allocations/{id_}/history", user("u1"), headers=headers)
    assert history.body["items"][-1]["reason"] == reason


def test_a_reason_that_was_stored_by_an_older_version_is_shown_as_it_is(
    api: Client, rows: Rows
) -> None:
    rows.device()
    rows.user(locale="en")
    id_ = api.allocate("u1").body["id"]
    api.send("DELETE", f"/api/allocations/{id_}")

    for details in (None, '{"text": "of_a_later_version", "params": {}}'):
        rows.update("allocations", id_, release_details=details)
        shown = api.get(f"/api/allocations/{id_}").body
        assert shown["releaseReason"] == "用户主动释放"


def test_a_release_writes_a_notification_and_an_event(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body

    api.send("DELETE", f"/api/allocations/{allocation['id']}")

    types = rows.column("SELECT type FROM notifications ORDER BY id")
    assert types == ["allocation_success", "device_released"]
    events = rows.all("SELECT routing_key, body FROM outgoing_events ORDER BY id")
    assert [key for key, _ in events] == ["device.allocated", "device.released"]
    assert json.loads(events[1][1])["reason"] == "user_request"


def test_releasing_again_changes_nothing(api: Client, rows: Rows) -> None:
    rows.device()
    target = f"/api/allocations/{api.allocate('u1').body['id']}"

    first, second = api.send("DELETE", target), api.send("DELETE", target)

    assert first.status == second.status == 200
    assert first.body == second.body
    assert len(rows.all("SELECT id FROM outgoing_events")) == 2


def test_a_late_release_does_not_take_the_device_from_its_next_user(
    api: Client, rows: Rows
) -> None:
    rows.device()
    target = f"/api/allocations/{api.allocate('u1').body['id']}"
    api.send("DELETE", target)
    second = api.allocate("u2").body

    assert api.send("DELETE", target).body["status"] == "RELEASED"

    assert api.get(f"/api/allocations/{second['id']}").body["status"] == "ALLOCATED"
    assert rows.column("SELECT status FROM devices") == ["allocated"]


def test_an_expired_allocation_stays_expired(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.update("allocations", allocation["id"], status="EXPIRED")
    rows.update("devices", "d1", status="available")

    reply = api.send("DELETE", f"/api/allocations/{allocation['id']}")

    assert (reply.status, reply.body["status"]) == (200, "EXPIRED")


def test_a_suspended_user_may_release(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.update("users", "u1", status="suspended")

    reply = api.send("DELETE", f"/api/allocations/{allocation['id']}", user("u1"))

    assert reply.body["status"] == "RELEASED"


def test_a_failed_device_can_be_released_but_not_allocated(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.update("devices", "d1", health="failed")

    assert api.send("DELETE", f"/api/allocations/{allocation['id']}").status == 200

    assert rows.all("SELECT status, health FROM devices") == [("available", "failed")]
    assert api.allocate("u2").code == "no_device_available"
