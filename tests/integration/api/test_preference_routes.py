"""Preferences as users set them, and how the next event follows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.api.client import user
from tests.support.events import message
from tests.support.functions import Functions

if TYPE_CHECKING:
    from tests.integration.api.client import Client, Reply
    from tests.integration.api.rows import Rows

PATH = "/api/users/u1/preferences"
NIGHT = {"start": "22:00", "end": "07:30", "timeZone": "Asia/Shanghai"}
CHOSEN = {
    "channels": {
        "device_released": {"email": True, "sms": False},
        "billing_alert": {"email": False},
    },
    "quietHours": NIGHT,
}


def put(api: Client, body: object) -> Reply:
    return api.send("PUT", PATH, user("u1"), body)


def test_preferences_are_empty_by_default(api: Client) -> None:
    reply = api.get(PATH, user("u1"))

    assert (reply.status, reply.body) == (200, {"channels": {}, "quietHours": None})


def test_preferences_are_returned_and_can_be_sent_back(api: Client, rows: Rows) -> None:
    rows.user()

    assert put(api, CHOSEN).body == CHOSEN
    assert put(api, api.get(PATH).body).body == CHOSEN
    assert api.get(PATH, user("u1")).body == CHOSEN


def test_a_put_replaces_everything(api: Client) -> None:
    put(api, CHOSEN)

    assert put(api, {}).body == {"channels": {}, "quietHours": None}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"channels": {"gossip": {"email": True}}}, "channels.gossip.[key]"),
        ({"channels": {"billing_alert": {"fax": True}}}, "channels.billing_alert.fax.[key]"),
        ({"channels": {"billing_alert": {"email": "yes"}}}, "channels.billing_alert.email"),
        ({"channels": {"service_suspended": {"sms": False}}}, ""),
        ({"channels": {"account_suspended": {"email": False}}}, ""),
        ({"quietHours": {"start": "22:00", "end": "07:00"}}, "quietHours.timeZone"),
        ({"quietHours": {**NIGHT, "start": "24:00"}}, "quietHours.start"),
        ({"quietHours": {**NIGHT, "start": "9:00"}}, "quietHours.start"),
        ({"quietHours": {**NIGHT, "start": "07:30"}}, "quietHours"),
        ({"quietHours": {**NIGHT, "timeZone": "Mars/Olympus"}}, "quietHours.timeZone"),
        ({"quietHours": {**NIGHT, "timeZone": "../etc/passwd"}}, "quietHours.timeZone"),
        ({"quietHours": {**NIGHT, "timeZone": "Asia"}}, "quietHours.timeZone"),
        ({"quietHours": {**NIGHT, "timeZone": ""}}, "quietHours.timeZone"),
        ({"quiethours": None}, "quiethours"),
    ],
)
def test_invalid_preferences_are_refused_with_their_field(
    api: Client, body: dict[str, Any], field: str
) -> None:
    reply = put(api, body)

    assert reply.status == 422
    assert [name.removeprefix("body").lstrip(".") for name in reply.fields] == [field]


def test_preferences_of_a_deleted_user_are_not_stored(api: Client, rows: Rows) -> None:
    rows.user(status="deleted")

    reply = put(api, CHOSEN)

    assert (reply.status, reply.code) == (403, "user_deleted")
    assert rows.column("SELECT user_id FROM notification_preferences") == []


def test_the_next_event_follows_the_preferences(api: Client, rows: Rows, database_url: str) -> None:
    rows.user()
    rows.device()
    api.allocate("u1")
    put(api, CHOSEN)

    with Functions(database_url, clock=lambda: datetime.now(UTC)) as functions:
        functions.handle(message("billing.balance_low"), message("device.failed"))

    deliveries = rows.all(
        "SELECT n.type, d.channel FROM notifications n"
        " JOIN notification_deliveries d ON d.notification_id = n.id"
        " WHERE n.type <> 'allocation_success' ORDER BY n.type, d.channel"
    )
    assert deliveries == [
        ("billing_alert", "websocket"),
        ("device_released", "websocket"),
        ("device_released", "email"),
    ]
