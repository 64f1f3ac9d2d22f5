"""The operations that list devices and users, and that follow a message."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from operations import catalogue
from operations.context import OperationContext
from operations.errors import InvalidInputError, OpsError
from scheduler.database import listings
from scheduler.domain.model import Health, UserStatus
from scheduler.timeline.entries import MAX_OF_A_KIND
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import MINUTE, NOW, device, held, user, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.store import Store

    Call = Callable[..., dict[str, Any]]


@pytest.fixture
def call(database_url: str) -> Call:
    def called(name: str, **arguments: object) -> dict[str, Any]:
        context = OperationContext(lambda: "amqp://127.0.0.1:1/x", lambda: database_url)
        return catalogue.run(name, arguments, context)

    return called


def ids(found: dict[str, Any]) -> list[str]:
    return [one["id"] for one in found["items"]]


def test_pages_of_devices_follow_each_other(store: Store, call: Call) -> None:
    store.seed(world(*(device(f"d{n}") for n in range(5)), held("d1", by="u1")))

    first = call("devices", limit=3, totals=True)
    second = call("devices", limit=3, **first["next"])

    assert (ids(first), ids(second)) == (["d0", "d1", "d2"], ["d3", "d4"])
    assert second["next"] is None
    assert second["totals"] is None
    assert sorted(first["totals"]) == [["allocated", "running", 1], ["available", "running", 4]]
    assert [one["userId"] for one in first["items"]] == [None, "u1", None]


def test_devices_are_searched_and_filtered(store: Store, call: Call) -> None:
    failed = device("a_2", health=Health.FAILED)
    store.seed(world(device("a_1"), failed, device("ab1"), device("b")))

    assert ids(call("devices", search="a_")) == ["a_1", "a_2"]
    assert ids(call("devices", search="a_", health="failed")) == ["a_2"]
    assert ids(call("devices", status="allocated")) == []
    with pytest.raises(InvalidInputError, match="health"):
        call("devices", health="broken")


def test_count_that_takes_too_long_is_unknown_and_a_search_fails(
    store: Store,
    call: Call,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store.seed(world(device()))
    monkeypatch.setattr(listings, "_LIMITED", "SET STATEMENT max_statement_time = 0.05 FOR ")
    slow = "SELECT SLEEP(5) FROM devices WHERE {conditions} LIMIT %s"
    monkeypatch.setattr(listings, "_DEVICES", slow)
    with store.database.transaction() as cursor, pytest.raises(listings.SearchTooLongError):
        listings.count_by(cursor, "(SELECT SLEEP(5) AS health) slow", "health")

    with pytest.raises(OpsError, match="beginning of an id"):
        call("devices")


def test_users_are_listed_with_what_they_hold(store: Store, call: Call) -> None:
    bad = user("u2", status=UserStatus.SUSPENDED, billing_hold=True)
    store.seed(world(held("d1", by="u1"), held("d2", by="u1"), bad))

    found = call("users", totals=True)
    held_back = call("users", billingHold=True)

    assert [(one["id"], one["devices"]) for one in found["items"]] == [("u1", 2), ("u2", 0)]
    assert sorted(found["totals"]) == [["active", 0, 1], ["suspended", 1, 1]]
    assert ids(held_back) == ["u2"]


def test_allocations_of_a_user_are_paged_with_their_reasons(
    store: Store,
    call: Call,
    database_url: str,
    broker_url: str,
) -> None:
    allocations = [held(f"d{n}", by="u1", since=NOW - n * MINUTE) for n in range(1, 4)]
    store.seed(world(*allocations, device("d4"), held("d5", by="u2")))
    with Functions(database_url, broker_url) as functions:
        functions.handle(message("device.failed", id="m-1", deviceId="d2", reason="It is dark"))

    first = call("user.allocations", userId="u1", limit=2)
    second = call("user.allocations", userId="u1", limit=2, **first["next"])

    shown = [*first["items"], *second["items"]]
    assert [one["deviceId"] for one in shown] == ["d1", "d2", "d3"]
    assert "It is dark" in shown[1]["releaseReason"]
    assert [one["status"] for one in shown] == ["ALLOCATED", "RELEASED", "ALLOCATED"]
    assert second["next"] is None


def test_user_is_shown_without_payment_failures_if_dynamodb_is_unavailable(
    store: Store,
    call: Call,
) -> None:
    store.seed(world(held("d1", by="u1")))
    store.insert(
        "waiting",
        "id, user_id, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at",
        [(f"w-{n}", "u1", n, 2, 4096, NOW + n * MINUTE, NOW + 99 * MINUTE) for n in range(51)],
    )

    found = call("user.details", userId="u1")

    assert [one["deviceId"] for one in found["devices"]] == ["d1"]
    assert [one["minutes"] for one in found["waiting"]] == list(range(50, 0, -1))
    assert (found["reservations"], found["more"]) == ([], ["waiting"])
    assert found["paymentFailures"] is None
    assert "failed payments" in found["paymentProblem"]


def test_message_is_followed_to_its_release_and_notification(
    store: Store,
    call: Call,
    database_url: str,
    broker_url: str,
) -> None:
    store.seed(world(held("d1", by="u1"), held("d2", by="u1")))
    assert call("message", id="m-1")["received"] == []
    with Functions(database_url, broker_url, clock=lambda: datetime.now(UTC)) as functions:
        event = message("device.failed", id="m-1", deviceId="d1", reason="It is dark")
        functions.handle(event, message("device.failed", id="m-2", deviceId="d2", reason="x"))
        functions.handle(event)

    found = call("message", id="m-1")

    assert [one["outcome"] for one in found["received"]] == ["applied", "duplicate"]
    assert [one["kind"] for one in found["effects"]] == ["allocation", "notification", "outgoing"]
    assert {one["deviceId"] for one in found["effects"]} == {"d1", None}
    assert found["effects"][1]["deliveries"][0]["status"] == "pending"
    assert found["complete"] is True


def test_followed_message_tells_that_effects_may_be_missing(
    store: Store,
    call: Call,
    database_url: str,
    broker_url: str,
) -> None:
    store.seed(world(held("d1", by="u1")))
    now = datetime.now(UTC)
    with Functions(database_url, broker_url, clock=lambda: now) as functions:
        functions.handle(message("device.failed", id="m-1", deviceId="d1", reason="It is dark"))
    store.insert(
        "processed_messages",
        "queue, message_id, body_sha256, processed_at, outcome, aggregate, subject_id",
        [
            ("scheduler.device-failed", f"n-{n}", b"x" * 32, now, "applied", "device", "d1")
            for n in range(MAX_OF_A_KIND)
        ],
    )

    assert call("message", id="m-1")["complete"] is False
