"""Queued requests for a device."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.client import user
from tests.support.events import message
from tests.support.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    with Functions(database_url, clock=lambda: datetime.now(UTC)) as made:
        yield made


@pytest.fixture
def taken(api: Client, rows: Rows) -> str:
    """The only device, held by another user; return the allocation's id."""
    rows.device()
    return str(api.allocate("holder").body["id"])


def wait(api: Client, user_id: str = "u1", **fields: Any) -> Reply:  # noqa: ANN401 - JSON
    return api.allocate(user_id, wait=True, **fields)


def look_up(api: Client, waiting: Reply) -> Any:  # noqa: ANN401 - JSON
    return api.get(f"/api/allocations/waiting/{waiting.body['id']}").body


def release(api: Client, allocation_id: str) -> None:
    assert api.send("DELETE", f"/api/allocations/{allocation_id}").status == 200


def holders(rows: Rows) -> list[tuple[str, str]]:
    return rows.all("SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED'")


def notifications(rows: Rows, user_id: str) -> list[str]:
    return rows.column("SELECT type FROM notifications WHERE user_id = %s ORDER BY id", user_id)


def test_with_wait_a_free_device_is_allocated_at_once(api: Client, rows: Rows) -> None:
    rows.device()

    assert wait(api).status == 201


@pytest.mark.usefixtures("taken")
def test_with_wait_the_request_is_queued_if_no_device_is_free(api: Client) -> None:
    first, second = wait(api, durationMinutes=30, minCpuCores=2), wait(api, "u2")

    assert (first.status, second.status) == (202, 202)
    assert first.body["status"] == "WAITING"
    assert (first.body["durationMinutes"], first.body["minCpuCores"]) == (30, 2)
    assert (first.body["position"], second.body["position"]) == (1, 2)
    assert look_up(api, second) == second.body


@pytest.mark.usefixtures("taken")
def test_without_wait_the_request_is_refused(api: Client) -> None:
    assert api.allocate("u1").code == "no_device_available"


def test_a_released_device_serves_the_first_in_line(api: Client, rows: Rows, taken: str) -> None:
    first, second = wait(api, "u1"), wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u1")]
    served = look_up(api, first)
    assert (served["status"], served["position"]) == ("SERVED", None)
    allocation = api.get(f"/api/allocations/{served['allocationId']}").body
    assert (allocation["userId"], allocation["deviceId"]) == ("u1", "d1")
    assert look_up(api, second)["position"] == 1
    assert notifications(rows, "u1") == ["allocation_success"]


def test_the_highest_priority_is_served_first(api: Client, rows: Rows, taken: str) -> None:
    wait(api, "u1", priority=1)
    urgent = wait(api, "u2", priority=2)
    assert urgent.body["position"] == 1

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]


@pytest.mark.usefixtures("taken")
def test_only_an_administrator_may_set_a_priority(api: Client) -> None:
    assert api.allocate("u1", user("u1"), wait=True, priority=1).status == 403
    assert api.allocate("u1", user("u1"), wait=True).status == 202


def test_a_device_too_small_for_one_request_serves_the_next(
    api: Client, rows: Rows, taken: str
) -> None:
    choosy = wait(api, "u1", minCpuCores=64)
    wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]
    assert look_up(api, choosy)["status"] == "WAITING"


def test_a_user_at_their_quota_is_skipped(api: Client, rows: Rows, taken: str) -> None:
    rows.user("u1", max_devices=1)
    wait(api, "u1")
    rows.update("users", "u1", max_devices=0)
    wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]


def test_the_history_does_not_reveal_who_freed_the_device(
    api: Client, rows: Rows, taken: str
) -> None:
    wait(api)

    release(api, taken)

    assert rows.column("SELECT allocated_by FROM allocations WHERE user_id = 'u1'") == ["line"]


@pytest.mark.parametrize(
    ("event", "fields"),
    [
        ("user.suspended", {"userId": "holder"}),
        ("user.deleted", {"userId": "holder"}),
        ("user.quota_updated", {"userId": "holder", "newQuota": {"maxDevices": 0}}),
        ("user.quota_exceeded", {"userId": "holder", "limit": 0}),
        ("billing.overdue", {"userId": "holder"}),
        ("device.created", {"deviceId": "new", "cpuCores": 4}),
    ],
)
@pytest.mark.usefixtures("taken")
def test_a_device_freed_by_an_event_serves_the_first_in_line(
    api: Client, rows: Rows, functions: Functions, event: str, fields: dict[str, Any]
) -> None:
    wait(api)

    functions.handle(message(event, **fields))

    assert rows.column("SELECT user_id FROM allocations WHERE allocated_by = 'line'") == ["u1"]
    assert notifications(rows, "u1") == ["allocation_success"]
    assert rows.column("SELECT status FROM waiting") == ["SERVED"]


def test_a_device_that_runs_again_serves_the_first_in_line(
    api: Client, rows: Rows, functions: Functions
) -> None:
    rows.device(health="stopped")
    wait(api)

    functions.handle(message("device.status_changed", oldStatus="stopped", newStatus="running"))

    assert holders(rows) == [("d1", "u1")]


@pytest.mark.usefixtures("taken")
def test_a_failed_device_does_not_serve_the_waiting_line(
    api: Client, rows: Rows, functions: Functions
) -> None:
    wait(api)

    functions.handle(message("device.failed"))

    assert holders(rows) == []


@pytest.mark.parametrize("event", ["user.suspended", "user.deleted", "billing.overdue"])
def test_a_blocked_user_leaves_the_waiting_line_even_if_they_freed_the_device(
    api: Client, rows: Rows, functions: Functions, taken: str, event: str
) -> None:
    waiting = wait(api, "holder")

    functions.handle(message(event, userId="holder"))

    assert look_up(api, waiting)["status"] == "REMOVED"
    assert holders(rows) == []
    assert api.get(f"/api/allocations/{taken}").body["status"] == "RELEASED"


@pytest.mark.usefixtures("taken")
def test_a_device_released_by_a_smaller_quota_serves_the_waiting_line(
    api: Client, rows: Rows
) -> None:
    wait(api)

    api.send("PUT", "/api/users/holder", body={"maxDevices": 0})

    assert holders(rows) == [("d1", "u1")]


def test_a_cancelled_request_is_not_served(api: Client, rows: Rows, taken: str) -> None:
    waiting = wait(api)
    target = f"/api/allocations/waiting/{waiting.body['id']}"

    left = api.send("DELETE", target, user("u1"))
    release(api, taken)

    assert (left.status, left.body["status"]) == (200, "CANCELLED")
    assert api.send("DELETE", target).body == left.body
    assert holders(rows) == []


def test_cancelling_a_served_request_changes_nothing(api: Client, taken: str) -> None:
    waiting = wait(api)
    release(api, taken)

    left = api.send("DELETE", f"/api/allocations/waiting/{waiting.body['id']}")

    assert left.body["status"] == "SERVED"


@pytest.mark.usefixtures("taken")
def test_a_user_sees_only_their_own_queued_requests(api: Client) -> None:
    mine, also_mine, other = wait(api, "u1"), wait(api, "u1"), wait(api, "u2")
    target = f"/api/allocations/waiting/{other.body['id']}"

    listed = api.get("/api/allocations/waiting/user/u1", user("u1")).body["items"]

    assert listed == [mine.body, also_mine.body]
    assert api.get(target, user("u1")).status == 403
    assert api.send("DELETE", target, user("u1")).status == 403
    assert api.get("/api/allocations/waiting/user/u2", user("u1")).status == 403
    assert api.get("/api/allocations/waiting/nothing").status == 404


@pytest.mark.usefixtures("taken")
def test_queued_requests_count_against_the_quota(api: Client, rows: Rows) -> None:
    rows.user("u1", max_devices=2)
    wait(api), wait(api)

    refused = wait(api)

    assert (refused.status, refused.code) == (403, "quota_exceeded")
    details = {"quota": "devices", "limit": 2, "used": 0, "waiting": 2}
    assert refused.body["error"]["details"] == details


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": "suspended"}, "user_suspended"),
        ({"billing_hold": True}, "billing_hold"),
        ({"max_cpu": 1}, "quota_exceeded"),
    ],
)
@pytest.mark.usefixtures("taken")
def test_request_that_the_user_may_not_make_is_not_queued(
    api: Client, rows: Rows, columns: dict[str, Any], code: str
) -> None:
    rows.user("u1", **columns)

    assert wait(api, minCpuCores=2).code == code
    assert rows.all("SELECT id FROM waiting") == []


def test_a_repeated_request_finds_its_queued_request_and_later_its_allocation(
    api: Client, rows: Rows, taken: str
) -> None:
    def request(**fields: Any) -> Reply:  # noqa: ANN401 - JSON
        body = {"userId": "u1", "wait": True, **fields}
        return api.send("POST", "/api/allocations", body=body, headers={"idempotency-key": "k"})

    first, second = request(), request()
    release(api, taken)
    third = request()

    assert (first.status, second.status, third.status) == (202, 202, 201)
    assert first.body == second.body
    assert third.body["id"] == first.body["id"]
    assert request(wait=False).status == 422
    assert len(rows.all("SELECT id FROM waiting")) == 1
