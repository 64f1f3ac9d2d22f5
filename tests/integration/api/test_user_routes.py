from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.environment import aws_environment
from scheduler.payments.counter import payment_failures
from scheduler.settings import PaymentSettings
from tests.integration.api.client import user
from tests.support.events import message
from tests.support.functions import Functions

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.messaging.message import Message
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

SETTINGS = PaymentSettings.model_validate({"PAYMENT_FAILURES_TABLE": "payment-failures"})
CONTACT = {"email": "someone@example.com", "phone": "+8613800138000"}


def quota_updated(max_devices: int, at: datetime, version: int | None) -> Message:
    quota = {"maxDevices": max_devices}
    return message("user.quota_updated", at=at, userId="u1", newQuota=quota, version=version)


@pytest.fixture
def api_with_aws(
    start_api: Callable[..., Client], aws_url: str, monkeypatch: pytest.MonkeyPatch
) -> Client:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    return start_api()


def test_a_user_is_shown_with_quota_and_held_devices(api_with_aws: Client, rows: Rows) -> None:
    rows.user(max_devices=8, max_cpu=64, max_memory_mb=131072, locale="en", **CONTACT)
    rows.devices(2)
    for _ in range(2):
        api_with_aws.allocate("u1")

    reply = api_with_aws.get("/api/users/u1", user("u1"))

    assert reply.status == 200
    assert reply.body == {
        "id": "u1",
        "status": "active",
        "billingHold": False,
        "maxDevices": 8,
        "maxCpu": 64,
        "maxMemoryMB": 131072,
        "activeDevices": 2,
        "paymentFailures": 0,
        "locale": "en",
        "timeZone": None,
        **CONTACT,
    }


def test_payment_failures_come_from_the_payment_counter(api_with_aws: Client, rows: Rows) -> None:
    rows.user()
    now = datetime.now(UTC)
    counter = payment_failures(SETTINGS)
    for number in range(2):
        counter.count("u1", f"message-{number}", now, now)
    assert api_with_aws.get("/api/users/u1").body["paymentFailures"] == 2

    counter.reset("u1", now + timedelta(seconds=1), now)

    assert api_with_aws.get("/api/users/u1").body["paymentFailures"] == 0


def test_a_user_is_shown_even_if_dynamodb_is_unavailable(api: Client, rows: Rows) -> None:
    rows.user(billing_hold=True)

    reply = api.get("/api/users/u1")

    assert reply.status == 200
    assert reply.body["billingHold"] is True
    assert reply.body["paymentFailures"] is None


def test_a_change_stores_its_fields_and_keeps_the_others(api: Client, rows: Rows) -> None:
    rows.user(max_devices=8, max_cpu=64, **CONTACT)

    reply = api.send(
        "PUT",
        "/api/users/u1",
        body={"maxDevices": 5, "timeZone": "America/New_York", "locale": "en"},
    )

    assert reply.status == 200
    assert reply.body == api.get("/api/users/u1").body
    shown = {
        name: reply.body[name] for name in ("maxDevices", "maxCpu", "locale", "timeZone", "email")
    }
    assert shown == {
        "maxDevices": 5,
        "maxCpu": 64,
        "locale": "en",
        "timeZone": "America/New_York",
        "email": CONTACT["email"],
    }
    removed = api.send("PUT", "/api/users/u1", body={"maxCpu": None, "email": None}).body
    assert (removed["maxCpu"], removed["email"], removed["phone"]) == (None, None, CONTACT["phone"])


def test_an_empty_change_changes_nothing(api: Client, rows: Rows) -> None:
    rows.user(max_devices=8, **CONTACT)
    before = api.get("/api/users/u1").body

    assert api.send("PUT", "/api/users/u1", body={}).body == before


def test_a_change_creates_an_unknown_user(api: Client, rows: Rows) -> None:
    reply = api.send("PUT", "/api/users/newcomer", body={"maxDevices": 3, **CONTACT})

    assert reply.status == 200
    assert (reply.body["maxDevices"], reply.body["email"]) == (3, CONTACT["email"])
    assert rows.column("SELECT id FROM users") == ["newcomer"]


def test_a_smaller_quota_releases_the_oldest_devices(api: Client, rows: Rows) -> None:
    rows.devices(4)
    ids = [api.allocate("u1").body["id"] for _ in range(4)]

    reply = api.send("PUT", "/api/users/u1", body={"maxDevices": 1})

    assert reply.body["activeDevices"] == 1
    kept = api.get("/api/allocations/user/u1?status=ALLOCATED").body["items"]
    assert [allocation["id"] for allocation in kept] == [ids[-1]]
    types = rows.column("SELECT type FROM notifications WHERE type <> 'allocation_success'")
    assert sorted(types) == ["device_released"] * 3 + ["quota_adjusted"]


@pytest.mark.parametrize("version", [None, 7])
@pytest.mark.parametrize(
    ("change", "outcome", "max_devices"),
    [
        ({"maxDevices": 8}, "outdated", 8),
        ({"maxCpu": 64}, "outdated", 10),
        ({"locale": "en"}, "success", 5),
    ],
    ids=["devices", "cores", "no quota"],
)
def test_an_older_event_does_not_undo_a_quota(
    api: Client,
    rows: Rows,
    database_url: str,
    change: dict[str, Any],
    outcome: str,
    max_devices: int,
    version: int | None,
) -> None:
    rows.user()
    before = datetime.now(UTC) - timedelta(minutes=1)

    api.send("PUT", "/api/users/u1", body=change)
    with Functions(database_url, clock=lambda: datetime.now(UTC)) as functions:
        older = functions.handle(quota_updated(5, before, version))
        shown = api.get("/api/users/u1").body["maxDevices"]
        newer = functions.handle(quota_updated(3, datetime.now(UTC), version and version + 1))

    assert (older, shown) == ({outcome: 1}, max_devices)
    assert newer == {"success": 1}
    assert api.get("/api/users/u1").body["maxDevices"] == 3


def test_a_deleted_user_cannot_be_changed(api: Client, rows: Rows) -> None:
    rows.user(status="deleted")

    reply = api.send("PUT", "/api/users/u1", body=CONTACT)

    assert (reply.status, reply.code) == (403, "user_deleted")
    assert rows.all("SELECT email, phone FROM users") == [(None, None)]


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({"email": "nonsense"}, ["body.email"]),
        ({"phone": "13800138000", "locale": "fr"}, ["body.phone", "body.locale"]),
        ({"maxDevices": None}, ["body.maxDevices"]),
        ({"maxMemoryMB": -1}, ["body.maxMemoryMB"]),
        ({"status": "active"}, ["body.status"]),
    ],
)
def test_an_invalid_change_is_refused_with_its_fields(
    api: Client, rows: Rows, body: dict[str, Any], fields: list[str]
) -> None:
    rows.user()

    reply = api.send("PUT", "/api/users/u1", body=body)

    assert (reply.status, reply.fields) == (422, fields)


def test_times_in_notifications_are_in_the_zone_of_the_user_else_of_their_quiet_hours(
    api: Client, rows: Rows
) -> None:
    rows.device("d1")
    rows.device("d2")
    rows.device("d3")
    quiet = {"start": "22:00", "end": "07:00", "timeZone": "Asia/Kolkata"}

    api.allocate("u1")
    api.send("PUT", "/api/users/u1/preferences", body={"quietHours": quiet})
    api.allocate("u1")
    api.send("PUT", "/api/users/u1", body={"timeZone": "America/Bogota", "locale": "en"})
    api.allocate("u1")

    by_locale, by_quiet_hours, by_zone = rows.column(
        "SELECT message FROM notifications ORDER BY id"
    )
    assert "（" not in by_locale
    assert "（UTC+5:30）" in by_quiet_hours
    assert "(UTC-5)" in by_zone
