"""Limits of callers, which the environments of the function share through the database."""

from __future__ import annotations

import math
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from allocation_api.token_buckets import BLOCK
from scheduler.database import request_limits
from scheduler.database.connection import Database
from tests.integration.api.client import ADMIN, Reply, user

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pymysql.cursors import Cursor

    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

SLOW = {"CALLER_RATE_LIMIT": 0.01, "CALLER_BURST_LIMIT": 30, "HEALTH_RATE_LIMIT": 0.01}
"""No token comes back within a test."""
PATIENT = {"CALLER_BURST_LIMIT": 100_000}
"""Only what is created is limited."""
SOON = (datetime.now(UTC) + timedelta(hours=2)).isoformat()


def answered(ask: Callable[[], Reply], requests: int) -> list[int]:
    return [ask().status for _ in range(requests)]


def test_a_user_who_sends_too_much_is_refused_by_every_environment(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.user()
    environments = [start_api(**SLOW) for _ in range(3)]

    statuses = [
        environments[number % 3].get("/api/devices", user("u1")).status for number in range(120)
    ]

    assert statuses.count(200) <= 30 + 3 * BLOCK
    assert set(statuses[-30:]) == {429}
    for api in environments:
        refused = api.get("/api/devices", user("u1"))
        assert (refused.status, refused.code) == (429, "too_many_requests")
        assert int(refused.headers["Retry-After"]) >= 1
        assert api.get("/api/devices", user("u2")).status == 200
        assert api.get("/api/devices", ADMIN).status == 200


def test_an_administrator_is_not_limited(start_api: Callable[..., Client]) -> None:
    api = start_api(**SLOW)

    assert set(answered(lambda: api.get("/api/devices", ADMIN), 60)) == {200}


def test_an_address_without_a_token_is_limited_whatever_ipv6_address_it_chooses(
    start_api: Callable[..., Client],
) -> None:
    api = start_api(**SLOW)

    def ask(address: str) -> Reply:
        return api.send("GET", "/openapi.json", None, client=address)

    statuses = [ask(f"2001:db8::{number:x}").status for number in range(60)]

    assert statuses.count(200) <= 30 + BLOCK
    assert statuses[-1] == 429
    assert ask("2001:db8:0:1::1").status == 200
    assert [ask(f"::ffff:192.0.2.{number}").status for number in range(60)] == [200] * 60


def test_health_checks_have_a_limit_of_their_own(start_api: Callable[..., Client]) -> None:
    environments = [start_api(**SLOW) for _ in range(3)]

    statuses = [environments[number % 3].get("/api/health", None).status for number in range(60)]

    assert 10 <= statuses.count(503) <= 10 + 3  # broker and AWS are unreachable
    assert statuses[-1] == 429
    assert environments[0].get("/openapi.json", None).status == 200


def test_without_the_database_each_environment_limits_alone(
    start_api: Callable[..., Client],
) -> None:
    api = start_api(DATABASE_URL="mysql://nobody@127.0.0.1:1/nothing", **SLOW)

    statuses = answered(lambda: api.get("/openapi.json", None), 60)

    assert 30 <= statuses.count(200) <= 30 + BLOCK
    assert statuses[-1] == 429


def test_a_batch_counts_as_many_requests_as_it_asks_for_sizes(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.user()
    api = start_api(**SLOW)
    wishes = [{"userId": "u1", "minCpuCores": cores} for cores in range(10)]

    def ask() -> Reply:
        return api.send("POST", "/api/allocations/batch", user("u1"), {"requests": wishes})

    assert 2 <= answered(ask, 20).count(200) <= 4


def test_a_change_counts_as_five_requests(start_api: Callable[..., Client], rows: Rows) -> None:
    rows.user()
    api = start_api(**SLOW)

    statuses = answered(lambda: api.send("DELETE", "/api/allocations/nothing", user("u1")), 20)

    assert 6 <= statuses.count(404) <= 8
    assert statuses[-1] == 429


def test_a_ticket_counts_as_ten_requests(start_api: Callable[..., Client]) -> None:
    api = start_api(**SLOW)

    statuses = answered(lambda: api.send("POST", "/api/realtime/ticket", user("u1")), 20)

    assert 3 <= statuses.count(503) <= 5  # AWS is unreachable
    assert statuses[-1] == 429


def allocate_and_release(api: Client) -> Reply:
    made = api.allocate("u1", user("u1"))
    if made.status == 201:
        api.send("DELETE", f"/api/allocations/{made.body['id']}", user("u1"))
    return made


def queue_and_cancel(api: Client) -> Reply:
    made = api.allocate("u1", user("u1"), wait=True, minCpuCores=999)
    if made.status == 202:
        api.send("DELETE", f"/api/allocations/waiting/{made.body['id']}", user("u1"))
    return made


def reserve_and_cancel(api: Client) -> Reply:
    made = api.send("POST", "/api/reservations", user("u1"), {"userId": "u1", "startsAt": SOON})
    if made.status == 201:
        api.send("DELETE", f"/api/reservations/{made.body['id']}", user("u1"))
    return made


def allocate_and_release_batch(api: Client) -> Reply:
    body: dict[str, Any] = {"requests": [{"userId": "u1"}] * 3}
    made = api.send("POST", "/api/allocations/batch", user("u1"), body)
    if made.status == 200:
        ids = [one["id"] for one in made.body["results"] if "id" in one]
        api.send("POST", "/api/allocations/batch/release", user("u1"), {"allocationIds": ids})
    return made


@pytest.mark.parametrize(
    ("loop", "table"),
    [
        (allocate_and_release, "allocations"),
        (allocate_and_release_batch, "allocations"),
        (queue_and_cancel, "waiting"),
        (reserve_and_cancel, "reservations"),
    ],
)
def test_a_loop_that_cancels_creates_a_bounded_number_of_rows(
    start_api: Callable[..., Client], rows: Rows, loop: Callable[[Client], Reply], table: str
) -> None:
    rows.user()
    rows.devices(3)
    api = start_api(CREATIONS_PER_HOUR=15, **PATIENT)

    replies = [loop(api) for _ in range(40)]

    refused = replies[-1]
    assert (refused.status, refused.code) == (429, "hourly_limit_exceeded")
    assert refused.body["error"]["details"] == {"perHour": 15}
    assert int(refused.headers["Retry-After"]) > 1
    made = len(rows.all(f"SELECT id FROM {table} WHERE user_id = 'u1'"))  # noqa: S608 - a constant
    assert 15 <= made <= 15 + BLOCK + 3


def test_a_loop_of_extensions_is_bounded(start_api: Callable[..., Client], rows: Rows) -> None:
    rows.user()
    rows.device()
    api = start_api(CREATIONS_PER_HOUR=15, **PATIENT)
    target = f"/api/allocations/{api.allocate('u1').body['id']}"
    one, several = {"additionalMinutes": 1}, {"allocationIds": [target[-36:]]}

    for method, path, body in (
        ("POST", f"{target}/extend", one),
        ("POST", "/api/allocations/batch/extend", one | several),
    ):
        statuses = answered(lambda: api.send(method, path, user("u1"), body), 30)  # noqa: B023 - called at once
        assert statuses[-1] == 429


def test_what_is_refused_is_not_counted(start_api: Callable[..., Client], rows: Rows) -> None:
    rows.user()
    api = start_api(CREATIONS_PER_HOUR=1, **PATIENT)

    assert set(answered(lambda: api.allocate("u1", user("u1")), 30)) == {409}


def test_an_unknown_user_gets_no_quota_unless_it_is_allowed(
    start_api: Callable[..., Client], rows: Rows
) -> None:
    rows.devices(3)
    api = start_api(ALLOW_UNKNOWN_USERS="false")

    for loop in (allocate_and_release, queue_and_cancel, reserve_and_cancel):
        refused = loop(api)
        assert (refused.status, refused.code) == (403, "user_unknown")
    assert api.get("/api/allocations/user/u1", user("u1")).status == 200
    assert rows.column("SELECT id FROM users") == []

    assert api.send("PUT", "/api/users/u1", ADMIN, {"maxDevices": 1}).status == 200
    assert allocate_and_release(api).status == 201
    assert api.allocate("u2", ADMIN).status == 201  # an administrator vouches for them
    assert start_api().allocate("u3", user("u3")).status == 201


@pytest.fixture
def transactions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every transaction that is begun adds something to this list."""
    begun: list[str] = []
    transaction = Database.transaction

    @contextmanager
    def noted(database: Database) -> Iterator[Cursor]:
        begun.append("begun")
        with transaction(database) as cursor:
            yield cursor

    monkeypatch.setattr(Database, "transaction", noted)
    return begun


def test_limits_and_look_ups_cost_few_transactions(
    start_api: Callable[..., Client],
    rows: Rows,
    transactions: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("allocation_api.known_users.TRUSTED_SECONDS", math.inf)
    rows.user()
    api = start_api(**PATIENT, ALLOW_UNKNOWN_USERS=False)
    queue = {"userId": "u1", "minCpuCores": 1000, "wait": True}

    def costs(method: str, path: str, claims: dict[str, str]) -> list[int]:
        """Return how many transactions each of twenty requests takes."""
        found = []
        for _ in range(20):
            transactions.clear()
            reply = api.send(method, path, claims, queue)
            found.append(len(transactions))
            assert reply.status in {200, 202}, reply.body
            if method == "POST":
                api.send("DELETE", f"/api/allocations/waiting/{reply.body['id']}", ADMIN)
        return found

    for method, path, most in (("GET", "/api/devices", 2), ("POST", "/api/allocations", 13)):
        (least, *_), ours = sorted(costs(method, path, ADMIN)), costs(method, path, user("u1"))
        assert max(ours) <= least + 3
        assert sum(ours) <= 20 * least + most + 1  # and one look-up of the caller


def test_tokens_are_taken_by_the_clock_of_the_database(other: Cursor) -> None:
    first = request_limits.take(other, "u1/requests", 10.0)
    second = request_limits.take(other, "u1/requests", 5.0)
    other.execute("UPDATE request_limits SET full_at = NOW(6) - INTERVAL 1 DAY")
    after_a_day = request_limits.take(other, "u1/requests", 2.5)

    assert first == 10
    assert 14 < second <= 15
    assert after_a_day == 2.5
