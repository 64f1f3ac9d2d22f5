from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.integration.api.client import ADMIN, user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows


def history(
    api: Client, allocation: dict[str, Any], claims: dict[str, str] = ADMIN
) -> list[dict[str, Any]]:
    reply = api.get(f"/api/allocations/{allocation['id']}/history", claims)
    assert reply.status == 200
    return list(reply.body["items"])


def by(kind: str, id_: str | None = None, queue: str | None = None) -> dict[str, str | None]:
    return {"kind": kind, "id": id_, "queue": queue}


def test_the_history_lists_who_changed_what_when_and_why(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1", user("u1")).body
    target = f"/api/allocations/{allocation['id']}"
    extended = api.send("POST", f"{target}/extend", ADMIN, {"additionalMinutes": 5}).body
    released = api.send("DELETE", target, user("u1")).body

    first, second, third = history(api, allocation)

    assert (first["action"], first["by"]) == ("allocated", by("user", "u1"))
    assert first["at"] == allocation["allocatedAt"]
    assert (second["action"], second["by"]) == ("extended", by("administrator", "root"))
    assert second["expiresAt"] == extended["expiresAt"]
    assert (third["action"], third["by"]) == ("released", by("user", "u1"))
    assert (third["at"], third["code"]) == (released["releasedAt"], "user_request")
    assert third["reason"] == "用户主动释放"


def test_the_history_of_a_batch_is_the_same(api: Client, rows: Rows) -> None:
    rows.device()
    requests = {"requests": [{"userId": "u1"}]}
    allocation = api.send("POST", "/api/allocations/batch", body=requests).body["results"][0]
    ids = {"allocationIds": [allocation["id"]]}
    body = {**ids, "additionalMinutes": 5}
    api.send("POST", "/api/allocations/batch/extend", user("u1"), body)
    api.send("POST", "/api/allocations/batch/release", user("u1"), ids)

    entries = [(entry["action"], entry["by"]["id"]) for entry in history(api, allocation)]

    assert entries == [("allocated", "root"), ("extended", "u1"), ("released", "u1")]


def test_an_administrator_who_reduces_a_quota_is_the_cause(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1", user("u1")).body

    api.send("PUT", "/api/users/u1", ADMIN, {"maxDevices": 0})

    last = history(api, allocation)[-1]
    assert (last["by"], last["code"]) == (by("administrator", "root"), "quota_updated")
    assert history(api, allocation, user("u1"))[-1]["by"] == by("administrator")


def test_a_message_is_identified_to_administrators_only(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1", user("u1")).body
    rows.update(
        "allocations",
        allocation["id"],
        status="RELEASED",
        released_at="2026-01-02",
        released_by="event:scheduler.device-failed:m:1",
        release_code="device_failed",
        release_reason="设备故障：x",
    )

    assert history(api, allocation)[-1]["by"] == by("event", "m:1", "scheduler.device-failed")
    assert history(api, allocation, user("u1"))[-1]["by"] == by("event")


def test_the_scheduler_is_the_cause_of_an_expiry(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1", user("u1")).body
    rows.update("allocations", allocation["id"], status="EXPIRED", released_at="2026-01-02")

    last = history(api, allocation)[-1]

    assert (last["action"], last["by"]) == ("expired", by("scheduler"))
