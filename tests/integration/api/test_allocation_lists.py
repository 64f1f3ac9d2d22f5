from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tests.integration.api.client import user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

PAGE = "/api/allocations/user/u1"


@pytest.fixture
def allocated(api: Client, rows: Rows) -> list[str]:
    """Five allocations of one user, oldest first; the first and third are released."""
    rows.devices(5)
    ids = [api.allocate("u1").body["id"] for _ in range(5)]
    for id_ in (ids[0], ids[2]):
        api.send("DELETE", f"/api/allocations/{id_}")
    api.allocate("u2")
    return ids


def pages_of(api: Client, target: str) -> list[list[str]]:
    """Return the ids page by page."""
    pages, cursor = [], ""
    while True:
        body = api.get(f"{target}&cursor={quote(cursor)}" if cursor else target).body
        pages.append([item["id"] for item in body["items"]])
        cursor = body["nextCursor"]
        if cursor is None:
            return pages


def test_an_allocation_is_found_as_it_was_returned(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body

    reply = api.get(f"/api/allocations/{allocation['id']}", user("u1"))

    assert (reply.status, reply.body) == (200, allocation)


def test_a_users_allocations_come_newest_first(api: Client, allocated: list[str]) -> None:
    assert pages_of(api, f"{PAGE}?limit=100") == [allocated[::-1]]


def test_pages_hold_every_allocation_once(api: Client, allocated: list[str]) -> None:
    pages = pages_of(api, f"{PAGE}?limit=2")

    assert [len(page) for page in pages] == [2, 2, 1]
    assert [*chain(*pages)] == allocated[::-1]


def test_pages_hold_allocations_of_the_same_instant_once(
    api: Client, rows: Rows, allocated: list[str]
) -> None:
    rows.run("UPDATE allocations SET allocated_at = '2026-01-01 00:00:00.000001'")

    assert [*chain(*pages_of(api, f"{PAGE}?limit=2"))] == allocated[::-1]


def test_a_new_allocation_does_not_shift_the_pages(
    api: Client, rows: Rows, allocated: list[str]
) -> None:
    first = api.get(f"{PAGE}?limit=2").body
    rows.device("another")
    api.allocate("u1")

    second = api.get(f"{PAGE}?limit=2&cursor={quote(first['nextCursor'])}").body

    assert [item["id"] for item in second["items"]] == allocated[2:0:-1]


def test_allocations_are_filtered_by_status(api: Client, allocated: list[str]) -> None:
    assert pages_of(api, f"{PAGE}?status=RELEASED&limit=1") == [[allocated[2]], [allocated[0]]]
    assert len(api.get(f"{PAGE}?status=ALLOCATED").body["items"]) == 3
    assert api.get(f"{PAGE}?status=EXPIRED").body == {"items": [], "nextCursor": None}


def test_an_unknown_user_has_no_allocations(api: Client, rows: Rows) -> None:  # noqa: ARG001 - empties
    assert api.get("/api/allocations/user/stranger").body == {"items": [], "nextCursor": None}


def test_the_device_id_is_shown_even_if_its_row_is_gone(api: Client, rows: Rows) -> None:
    rows.device()
    allocation = api.allocate("u1").body
    rows.run("DELETE FROM devices")

    shown = api.get(f"/api/allocations/{allocation['id']}").body

    assert (shown["deviceId"], shown["deviceName"]) == ("d1", None)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=allocated", "query.status"),
        ("status=ALLOCATED&status=RELEASED", "query.status"),
        ("limit=0", "query.limit"),
        ("limit=201", "query.limit"),
        ("limit=ten", "query.limit"),
        ("limit=9999999999999999999999", "query.limit"),
        ("cursor=x", "query.cursor"),
        ("cursor=WyJhIiwgImIiXQ==", "query.cursor"),
        ("cursor=" + "a" * 1025, "query.cursor"),
        # a time with a zone that leaves the calendar
        ("cursor=WyIwMDAxLTAxLTAxVDAwOjAwOjAwKzE0OjAwIiwgIngiXQ==", "query.cursor"),
    ],
)
def test_an_invalid_query_is_refused_with_its_field(api: Client, query: str, field: str) -> None:
    reply = api.get(f"{PAGE}?{query}")

    assert (reply.status, reply.fields) == (422, [field])
