"""Standing in line for a device."""

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
    """The only device, which somebody else has; return the allocation's id."""
    rows.device()
    return str(api.allocate("holder").body["id"])


def wait(api: Client, user_id: str = "u1", **wish: Any) -> Reply:  # noqa: ANN401 - JSON
    return api.allocate(user_id, wait=True, **wish)


def place(api: Client, waiting: Reply) -> Any:  # noqa: ANN401 - JSON
    return api.get(f"/api/allocations/waiting/{waiting.body['id']}").body


def release(api: Client, allocation_id: str) -> None:
    assert api.send("DELETE", f"/api/allocations/{allocation_id}").status == 200


def holders(rows: Rows) -> list[tuple[str, str]]:
    return rows.all("SELECT device_id, user_id FROM allocations WHERE status = 'ALLOCATED'")


def told(rows: Rows, user_id: str) -> list[str]:
    return rows.column("SELECT type FROM notifications WHERE user_id = %s ORDER BY id", user_id)


def test_who_will_wait_gets_a_device_at_once_if_one_is_free(api: Client, rows: Rows) -> None:
    rows.device()

    assert wait(api).status == 201


@pytest.mark.usefixtures("taken")
def test_who_will_wait_gets_a_place_in_line_if_none_is(api: Client) -> None:
    first, second = wait(api, durationMinutes=30, minCpuCores=2), wait(api, "u2")

    assert (first.status, second.status) == (202, 202)
    assert first.body["status"] == "WAITING"
    assert (first.body["durationMinutes"], first.body["minCpuCores"]) == (30, 2)
    assert (first.body["position"], second.body["position"]) == (1, 2)
    assert place(api, second) == second.body


@pytest.mark.usefixtures("taken")
def test_who_will_not_is_refused(api: Client) -> None:
    assert api.allocate("u1").code == "no_device_available"


def test_a_released_device_is_given_to_the_first_in_line(
    api: Client, rows: Rows, taken: str
) -> None:
    first, second = wait(api, "u1"), wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u1")]
    served = place(api, first)
    assert (served["status"], served["position"]) == ("SERVED", None)
    allocation = api.get(f"/api/allocations/{served['allocationId']}").body
    assert (allocation["userId"], allocation["deviceId"]) == ("u1", "d1")
    assert place(api, second)["position"] == 1
    assert told(rows, "u1") == ["allocation_success"]


def test_the_highest_priority_comes_first(api: Client, rows: Rows, taken: str) -> None:
    wait(api, "u1", priority=1)
    urgent = wait(api, "u2", priority=2)
    assert urgent.body["position"] == 1

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]


@pytest.mark.usefixtures("taken")
def test_only_an_administrator_may_give_a_priority(api: Client) -> None:
    assert api.allocate("u1", user("u1"), wait=True, priority=1).status == 403
    assert api.allocate("u1", user("u1"), wait=True).status == 202


def test_a_device_that_does_not_meet_a_wish_goes_to_the_next(
    api: Client, rows: Rows, taken: str
) -> None:
    choosy = wait(api, "u1", minCpuCores=64)
    wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]
    assert place(api, choosy)["status"] == "WAITING"


def test_who_has_no_room_for_it_is_passed_over(api: Client, rows: Rows, taken: str) -> None:
    rows.user("u1", max_devices=1)
    wait(api, "u1")
    rows.update("users", "u1", max_devices=0)
    wait(api, "u2")

    release(api, taken)

    assert holders(rows) == [("d1", "u2")]


def test_a_device_somebody_else_may_not_learn_who_gave_it_up(
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
def test_an_event_that_frees_a_device_gives_it_to_the_first_in_line(
    api: Client, rows: Rows, functions: Functions, event: str, fields: dict[str, Any]
) -> None:
    wait(api)

    functions.handle(message(event, **fields))

    assert rows.column("SELECT user_id FROM allocations WHERE allocated_by = 'line'") == ["u1"]
    assert told(rows, "u1") == ["allocation_success"]
    assert rows.column("SELECT status FROM waiting") == ["SERVED"]


def test_a_device_that_runs_again_is_given_to_the_first_in_line(
    api: Client, rows: Rows, functions: Functions
) -> None:
    rows.device(health="stopped")
    wait(api)

    functions.handle(message("device.status_changed", oldStatus="stopped", newStatus="running"))

    assert holders(rows) == [("d1", "u1")]


@pytest.mark.usefixtures("taken")
def test_a_device_that_failed_is_given_to_nobody(
    api: Client, rows: Rows, functions: Functions
) -> None:
    wait(api)

    functions.handle(message("device.failed"))

    assert holders(rows) == []


@pytest.mark.parametrize("event", ["user.suspended", "user.deleted", "billing.overdue"])
def test_a_blocked_user_leaves_the_line_even_if_he_freed_the_device(
    api: Client, rows: Rows, functions: Functions, taken: str, event: str
) -> None:
    waiting = wait(api, "holder")

    functions.handle(message(event, userId="holder"))

    assert place(api, waiting)["status"] == "REMOVED"
    assert holders(rows) == []
    assert api.get(f"/api/allocations/{taken}").body["status"] == "RELEASED"


@pytest.mark.usefixtures("taken")
def test_a_smaller_quota_gives_what_is_taken_back_to_the_line(api: Client, rows: Rows) -> None:
    wait(api)

    api.send("PUT", "/api/users/holder", body={"maxDevices": 0})

    assert holders(rows) == [("d1", "u1")]


def test_a_place_that_was_given_up_is_not_served(api: Client, rows: Rows, taken: str) -> None:
    waiting = wait(api)
    target = f"/api/allocations/waiting/{waiting.body['id']}"

    left = api.send("DELETE", target, user("u1"))
    release(api, taken)

    assert (left.status, left.body["status"]) == (200, "CANCELLED")
    assert api.send("DELETE", target).body == left.body
    assert holders(rows) == []


def test_giving_up_a_place_that_was_served_changes_nothing(api: Client, taken: str) -> None:
    waiting = wait(api)
    release(api, taken)

    left = api.send("DELETE", f"/api/allocations/waiting/{waiting.body['id']}")

    assert left.body["status"] == "SERVED"


@pytest.mark.usefixtures("taken")
def test_a_user_sees_his_places_and_nobody_elses(api: Client) -> None:
    mine, also_mine, other = wait(api, "u1"), wait(api, "u1"), wait(api, "u2")
    target = f"/api/allocations/waiting/{other.body['id']}"

    listed = api.get("/api/allocations/waiting/user/u1", user("u1")).body["items"]

    assert listed == [mine.body, also_mine.body]
    assert api.get(target, user("u1")).status == 403
    assert api.send("DELETE", target, user("u1")).status == 403
    assert api.get("/api/allocations/waiting/user/u2", user("u1")).status == 403
    assert api.get("/api/allocations/waiting/nothing").status == 404


@pytest.mark.usefixtures("taken")
def test_places_count_against_the_quota(api: Client, rows: Rows) -> None:
    rows.user("u1", max_devices=2)
    wait(api), wait(api)

    refused = wait(api)

    assert (refused.status, refused.code) == (403, "quota_exceeded")
    assert refused.body["error"]["details"]["waiting"] == 2


@pytest.mark.parametrize(
    ("columns", "code"),
    [
        ({"status": "suspended"}, "user_suspended"),
        ({"billing_hold": True}, "billing_hold"),
        ({"max_cpu": 1}, "quota_exceeded"),
    ],
)
@pytest.mark.usefixtures("taken")
def test_who_could_not_have_it_does_not_wait_for_it(
    api: Client, rows: Rows, columns: dict[str, Any], code: str
) -> None:
    rows.user("u1", **columns)

    assert wait(api, minCpuCores=2).code == code
    assert rows.all("SELECT id FROM waiting") == []


def test_a_repeated_request_finds_its_place_and_later_its_allocation(
    api: Client, rows: Rows, taken: str
) -> None:
    def ask(**more: Any) -> Reply:  # noqa: ANN401 - JSON
        body = {"userId": "u1", "wait": True, **more}
        return api.send("POST", "/api/allocations", body=body, headers={"idempotency-key": "k"})

    first, second = ask(), ask()
    release(api, taken)
    third = ask()

    assert (first.status, second.status, third.status) == (202, 202, 201)
    assert first.body == second.body
    assert third.body["id"] == first.body["id"]
    assert ask(wait=False).status == 422
    assert len(rows.all("SELECT id FROM waiting")) == 1
