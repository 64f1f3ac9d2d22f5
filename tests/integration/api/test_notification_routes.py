from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.integration.api.client import ADMIN, user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

INBOX = "/api/users/u1/notifications"


@pytest.fixture
def notified(api: Client, rows: Rows) -> list[str]:
    """Three notifications of one user, oldest first."""
    rows.devices(4)
    for _ in range(3):
        api.allocate("u1")
    api.allocate("u2")
    return rows.column("SELECT id FROM notifications WHERE user_id = 'u1' ORDER BY id")


def ids(api: Client, query: str = "") -> list[str]:
    return [item["id"] for item in api.get(f"{INBOX}?{query}").body["items"]]


def test_a_notification_is_shown_with_its_deliveries(
    api: Client, rows: Rows, notified: list[str]
) -> None:
    rows.run(
        "UPDATE notification_deliveries SET status = 'failed', attempts = 6, last_error = 'gone'"
    )

    newest = api.get(INBOX, user("u1")).body["items"][0]

    assert newest["id"] == notified[-1]
    assert newest["type"] == "allocation_success"
    assert newest["title"] == "设备分配成功"
    assert "d003" in newest["message"]
    assert newest["data"]["deviceId"] == "d003"
    assert newest["createdAt"].endswith("Z")
    assert newest["readAt"] is None
    assert newest["deliveries"] == [
        {
            "channel": "websocket",
            "status": "failed",
            "attempts": 6,
            "lastError": "not_accepted",
            "sentAt": None,
        }
    ]


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("MessageRejected: Email address is not verified: arn:aws:ses:…", "not_accepted"),
        ("not connected; it waits in the inbox", "not_connected"),
        ("no e-mail address known", "no_address"),
        (None, None),
    ],
)
def test_only_administrators_see_what_a_provider_answered(
    api: Client, rows: Rows, notified: list[str], stored: str | None, shown: str | None
) -> None:
    rows.run("UPDATE notification_deliveries SET last_error = %s", stored)
    read = f"{INBOX}/{notified[0]}/read"

    def errors(claims: dict[str, str]) -> set[str | None]:
        listed = api.get(INBOX, claims).body["items"]
        all_shown = [*listed, api.send("POST", read, claims).body]
        return {one["lastError"] for item in all_shown for one in item["deliveries"]}

    assert errors(user("u1")) == {shown}
    assert errors(ADMIN) == {stored}


def test_notifications_are_listed_newest_first_in_pages(api: Client, notified: list[str]) -> None:
    assert ids(api) == notified[::-1]
    first = api.get(f"{INBOX}?limit=2").body
    assert [item["id"] for item in first["items"]] == notified[:0:-1]
    assert ids(api, f"limit=2&cursor={quote(first['nextCursor'])}") == notified[:1]


def test_the_first_time_of_reading_is_kept(api: Client, notified: list[str]) -> None:
    target = f"{INBOX}/{notified[1]}/read"

    first, second = (api.send("POST", target, user("u1")) for _ in range(2))

    assert first.status == second.status == 200
    assert first.body["readAt"]
    assert first.body == second.body
    assert ids(api, "unread=true") == [notified[2], notified[0]]
    assert ids(api, "unread=false") == notified[::-1]


def test_a_notification_of_another_user_cannot_be_marked_as_read(
    api: Client, rows: Rows, notified: list[str]
) -> None:
    reply = api.send("POST", f"/api/users/u2/notifications/{notified[0]}/read", user("u2"))

    assert (reply.status, reply.code) == (404, "not_found")
    assert rows.column("SELECT read_at FROM notifications WHERE id = %s", notified[0]) == [None]


def test_an_empty_inbox_is_an_empty_page(api: Client) -> None:
    assert api.get("/api/users/stranger/notifications").body == {"items": [], "nextCursor": None}


@pytest.mark.parametrize("query", ["unread=perhaps", "limit=1000", "cursor=W10="])
def test_an_invalid_query_is_refused_with_its_field(api: Client, query: str) -> None:
    reply = api.get(f"{INBOX}?{query}")

    assert (reply.status, reply.fields) == (422, [f"query.{query.partition('=')[0]}"])
