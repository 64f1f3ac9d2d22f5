"""The timelines of users and devices, and who held a device."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.api.client import ADMIN, user
from tests.support.events import message
from tests.support.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.messaging.message import Message
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

PUBLISHER: Final = {"correlation_id": "c-1", "app_id": "monitor"}


@pytest.fixture
def functions(database_url: str) -> Iterator[Functions]:
    with Functions(database_url, clock=lambda: datetime.now(UTC)) as made:
        yield made


def published(event_type: str, **fields: Any) -> Message:  # noqa: ANN401 - any field
    one = message(event_type, **fields)
    return one._replace(properties={**one.properties, **PUBLISHER})


@pytest.fixture
def failed(api: Client, rows: Rows, functions: Functions) -> dict[str, Any]:
    """An allocation that ended because its device failed."""
    rows.user("u1", locale="en")
    rows.device("d1")
    allocation: dict[str, Any] = api.allocate("u1").body
    functions.handle(published("device.failed", id="m-1", deviceId="d1", reason="It is dark"))
    functions.handle(published("user.quota_updated", id="m-2", userId="u1"))
    return allocation


def timeline(api: Client, target: str, claims: dict[str, str] = ADMIN) -> dict[str, Any]:
    reply = api.get(f"/api/{target}/timeline", claims)
    assert reply.status == 200, reply.body
    body: dict[str, Any] = reply.body
    return body


def summary(body: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["action"], one["outcome"]) for one in body["items"]]


def test_user_sees_what_happened_to_their_device(api: Client, failed: dict[str, Any]) -> None:
    body = timeline(api, "users/u1", user("u1"))

    assert summary(body)[:4] == [
        ("allocation", "allocated", ""),
        ("notification", "allocation_success", ""),
        ("allocation", "released", "device_failed"),
        ("notification", "device_released", ""),
    ]
    released = body["items"][2]
    assert (released["deviceId"], released["allocationId"]) == ("d1", failed["id"])
    assert "It is dark" in released["detail"]
    assert {one["message"] for one in body["items"]} == {None}
    assert {one["causedBy"] for one in body["items"]} == {None}
    assert body["complete"] is True


@pytest.mark.usefixtures("failed")
def test_administrator_sees_the_message_behind_each_change(api: Client) -> None:
    items = timeline(api, "users/u1")["items"]

    message_id = {"id": "m-1", "queue": "scheduler.device-failed"}
    cause = message_id | {"correlationId": "c-1", "publisher": "monitor"}
    by_cause = [(one["kind"], one["action"]) for one in items if one["message"] == cause]
    assert by_cause == [
        ("allocation", "released"),
        ("notification", "device_released"),
        ("outgoing", "device.released"),
    ]
    (event,) = (one for one in items if one["kind"] == "event")
    assert (event["action"], event["outcome"]) == ("user.quota_updated", "applied")
    assert event["message"]["id"] == "m-2"


@pytest.mark.usefixtures("failed")
def test_timeline_of_a_device_begins_with_the_event_that_caused_the_rest(api: Client) -> None:
    found = summary(timeline(api, "devices/d1"))

    assert found[-4:] == [
        ("event", "device.failed", "applied"),
        ("allocation", "released", "device_failed"),
        ("notification", "device_released", ""),
        ("outgoing", "device.released", "waiting"),
    ]


@pytest.mark.usefixtures("failed")
def test_answers_of_providers_are_for_administrators(api: Client, rows: Rows) -> None:
    rows.run("UPDATE notification_deliveries SET status = 'failed', last_error = 'no such host'")

    def answers(claims: dict[str, str]) -> set[str | None]:
        items = timeline(api, "users/u1", claims)["items"]
        return {delivery["answer"] for one in items for delivery in one["deliveries"]}

    assert answers(ADMIN) == {"no such host"}
    assert answers(user("u1")) == {None}
    assert "请以其他方式告知用户" in timeline(api, "users/u1")["items"][1]["nextStep"]
    assert timeline(api, "users/u1", user("u1"))["nextStep"] is None


@pytest.mark.usefixtures("failed")
def test_what_waits_for_the_dispatcher_is_explained_by_the_outbox(api: Client, rows: Rows) -> None:
    rows.run("UPDATE notification_deliveries SET attempts = 1")

    steps = [one["nextStep"] or "" for one in timeline(api, "devices/d1")["items"]]

    assert ["scheduler-ops outbox" in step for step in steps[-2:]] == [True, True]


def test_waiting_and_reservations_are_listed(api: Client, rows: Rows) -> None:
    rows.user("u1")
    rows.run(
        "INSERT INTO waiting (id, user_id, minutes, min_cpu_cores, min_memory_mb, status,"
        " created_at, expires_at, ended_at) VALUES"
        " ('w1', 'u1', 60, 0, 0, 'EXPIRED', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), UTC_TIMESTAMP(6))"
    )
    rows.run(
        "INSERT INTO reservations (id, user_id, device_id, starts_at, ends_at, min_cpu_cores,"
        " min_memory_mb, created_at) VALUES"
        " ('r1', 'u1', 'd1', UTC_TIMESTAMP(6), UTC_TIMESTAMP(6), 0, 0, UTC_TIMESTAMP(6))"
    )

    assert sorted(summary(timeline(api, "users/u1"))) == [
        ("reservation", "reserved", ""),
        ("waiting", "expired", ""),
        ("waiting", "queued", ""),
    ]
    assert summary(timeline(api, "devices/d1")) == [("reservation", "reserved", "")]


def test_allocation_that_began_before_the_window_ends_in_it(
    api: Client, rows: Rows, failed: dict[str, Any]
) -> None:
    rows.update("allocations", failed["id"], allocated_at="2020-01-01")

    allocations = [one for one in summary(timeline(api, "devices/d1")) if one[0] == "allocation"]

    assert allocations == [("allocation", "released", "device_failed")]


@pytest.mark.usefixtures("failed")
@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", 200),
        ("from=2020-01-02T00:00:00Z&to=2020-01-01T00:00:00Z", 422),
        ("from=2020-01-01T00:00:00Z", 422),
        ("from=2020-01-01T00:00:00&to=2020-01-02T00:00:00Z", 422),
        ("to=0001-01-01T00:00:00%2B14:00", 422),
        ("from=yesterday", 422),
    ],
)
def test_window_is_limited(query: str, status: int, api: Client) -> None:
    reply = api.get(f"/api/users/u1/timeline?{query}")

    assert reply.status == status
    assert status != 200 or reply.body["items"] == []


def test_timeline_of_many_entries_says_that_it_is_incomplete(api: Client, rows: Rows) -> None:
    rows.run(
        "INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key,"
        " created_at) SELECT seq, 'u1', 't', '', '', '{}', seq, UTC_TIMESTAMP(6) FROM seq_1_to_300"
    )

    body = timeline(api, "users/u1")

    assert (len(body["items"]), body["complete"]) == (200, False)


def test_allocations_of_a_device_are_listed_in_pages(api: Client, rows: Rows) -> None:
    rows.device("d1")
    first = api.allocate("u1").body["id"]
    api.send("DELETE", f"/api/allocations/{first}")
    second = api.allocate("u2").body["id"]

    page = api.get("/api/devices/d1/allocations?limit=1").body
    rest = api.get(f"/api/devices/d1/allocations?limit=1&cursor={page['nextCursor']}").body

    assert [one["id"] for one in page["items"] + rest["items"]] == [second, first]
    assert rest["nextCursor"] is None
