"""Batches: one transaction, in which each item succeeds or fails on its own."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pymysql
import pytest

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from scheduler.allocation.allocate import AllocationRequest, Allocator
from scheduler.allocation.leases import Leases
from scheduler.database.allocations import AllocationRecord
from scheduler.database.connection import Database
from scheduler.domain.model import Quota
from scheduler.domain.quota import Requirements
from scheduler.settings import AllocationStrategy, DatabaseSettings
from scheduler.unit_of_work import UnitsOfWork
from tests.integration.api.client import ADMIN, Client, user
from tests.integration.api.test_concurrent_allocation import inconsistent_devices
from tests.support.statements import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from scheduler.database.cursor import BulkCursor
    from tests.integration.api.client import Reply
    from tests.integration.api.rows import Rows

BATCH = "/api/allocations/batch"
UNKNOWN = "01900000-0000-7000-8000-000000000000"


def allocate(api: Client, *requests: dict[str, Any], claims: dict[str, str] = ADMIN) -> Reply:
    return api.send("POST", BATCH, claims, {"requests": list(requests)})


def release(api: Client, *ids: str, claims: dict[str, str] = ADMIN) -> Reply:
    return api.send("POST", f"{BATCH}/release", claims, {"allocationIds": list(ids)})


def extend(api: Client, *ids: str, claims: dict[str, str] = ADMIN) -> Reply:
    body = {"allocationIds": list(ids), "additionalMinutes": 30}
    return api.send("POST", f"{BATCH}/extend", claims, body)


def codes(reply: Reply) -> list[str | None]:
    return [result.get("error", {}).get("code") for result in reply.body["results"]]


def counts(reply: Reply) -> tuple[int, int]:
    return reply.body["success"], reply.body["failed"]


def test_each_request_of_a_batch_gets_its_own_device_in_order(api: Client, rows: Rows) -> None:
    rows.devices(4)

    reply = allocate(api, {"userId": "u1"}, {"userId": "u2"}, {"userId": "u1"})

    assert (reply.status, counts(reply)) == (200, (3, 0))
    assert [result["userId"] for result in reply.body["results"]] == ["u1", "u2", "u1"]
    assert len({result["deviceId"] for result in reply.body["results"]}) == 3
    first = reply.body["results"][0]
    assert api.get(f"/api/allocations/{first['id']}").body == first
    assert not inconsistent_devices(rows)


def test_a_refused_item_does_not_affect_the_others(api: Client, rows: Rows) -> None:
    rows.devices(3)
    rows.user("held", billing_hold=True)
    rows.user("full", max_devices=0)

    reply = allocate(
        api,
        {"userId": "held"},
        {"userId": "u1"},
        {"userId": "full"},
        {"userId": "u1", "minCpuCores": 64},
        *[{"userId": "u2"}] * 3,
    )

    none = "no_device_available"
    assert codes(reply) == ["billing_hold", None, "quota_exceeded", none, None, None, none]
    assert counts(reply) == (3, 4)
    assert reply.body["results"][0]["userId"] == "held"
    assert reply.body["results"][0]["error"]["message"]
    assert len(rows.all("SELECT 1 FROM allocations")) == 3


def test_more_than_ten_different_sizes_are_refused(api: Client, rows: Rows) -> None:
    rows.devices(1)
    wishes = [{"userId": "u1", "minCpuCores": 100 + number} for number in range(11)]

    assert allocate(api, *wishes[:10], *wishes[:10]).status == 200
    refused = allocate(api, *wishes)

    assert refused.status == 422
    assert "at most 10 different sizes" in str(refused.body)


def test_the_quota_counts_the_devices_allocated_earlier_in_the_batch(
    api: Client, rows: Rows
) -> None:
    rows.devices(5)
    rows.user("u1", max_devices=2)
    rows.user("u2", max_cpu=8)

    reply = allocate(api, *[{"userId": "u1"}] * 3, *[{"userId": "u2"}] * 3)

    assert codes(reply) == [None, None, "quota_exceeded"] * 2


def test_a_locked_device_too_large_for_one_user_goes_to_the_next(api: Client, rows: Rows) -> None:
    rows.user("small", max_cpu=2)
    rows.device("large", cpu_cores=8)
    rows.device("tiny", cpu_cores=2)

    reply = allocate(api, {"userId": "any"}, {"userId": "small"}, {"userId": "other"})

    assert [result.get("deviceId") for result in reply.body["results"]] == ["tiny", None, "large"]
    assert codes(reply) == [None, "quota_exceeded", None]


def test_two_items_with_one_key_are_one_request(api: Client, rows: Rows) -> None:
    rows.devices(5)
    item = {"userId": "u1", "idempotencyKey": "k"}

    first = allocate(api, item, item, {**item, "userId": "u2"}, {**item, "durationMinutes": 5})
    again = allocate(api, item)

    ids = [result.get("id") for result in first.body["results"]]
    assert ids[0] == ids[1] == again.body["results"][0]["id"]
    assert ids[2] not in {ids[0], None}
    assert codes(first) == [None, None, None, "invalid_request"]
    assert len(rows.all("SELECT 1 FROM allocations")) == 2


def test_refusing_costs_the_same_statements_however_many_are_refused(database: Database) -> None:
    spent = {}
    for size in (1, 100):
        wanted = [AllocationRequest(f"user-{n % 7}", 60, Requirements()) for n in range(size)]
        with counted(database) as refusing:
            found = allocator(database, AllocationStrategy.RESOURCE_BASED).allocate_all(wanted, "")
        assert len(found) == size
        spent[size] = refusing.total

    assert spent[100] == spent[1]


def test_releasing_and_extending_return_a_result_for_each_id_in_order(
    api: Client, rows: Rows
) -> None:
    rows.devices(4)
    ids = [r["id"] for r in allocate(api, *[{"userId": "u1"}] * 3).body["results"]]
    api.send("DELETE", f"/api/allocations/{ids[1]}")

    extended = extend(api, ids[0], UNKNOWN, ids[1], "no-uuid", ids[2])
    released = release(api, ids[0], UNKNOWN, ids[1], ids[2])

    missing = "not_found"
    assert codes(extended) == [None, missing, "not_active", missing, None]
    assert counts(extended) == (2, 3)
    assert [r["id"] for r in extended.body["results"]] == [
        ids[0],
        UNKNOWN,
        ids[1],
        "no-uuid",
        ids[2],
    ]
    assert codes(released) == [None, missing, None, None]
    statuses = [r["status"] for r in released.body["results"] if "status" in r]
    assert statuses == ["RELEASED"] * 3
    assert not inconsistent_devices(rows)


def test_an_allocation_that_is_named_twice_is_changed_once(api: Client, rows: Rows) -> None:
    rows.devices(1)
    allocation = api.allocate("u1").body

    extended = extend(api, allocation["id"], allocation["id"])
    released = release(api, allocation["id"], allocation["id"])

    for reply in (extended, released):
        assert counts(reply) == (2, 0)
        assert reply.body["results"][0] == reply.body["results"][1]
    assert len(rows.all("SELECT 1 FROM allocation_extensions")) == 1
    assert rows.column("SELECT routing_key FROM outgoing_events ORDER BY id") == [
        "device.allocated",
        "device.extended",
        "device.released",
    ]


def test_a_user_can_change_only_their_own_allocations(api: Client, rows: Rows) -> None:
    rows.devices(3)
    other = api.allocate("u2").body["id"]

    mixed = allocate(api, {"userId": "u2"}, {"userId": "u1"}, claims=user("u1"))
    own = mixed.body["results"][1]["id"]

    assert codes(mixed) == ["forbidden", None]
    assert codes(extend(api, other, own, claims=user("u1"))) == ["forbidden", None]
    assert codes(release(api, other, own, claims=user("u1"))) == ["forbidden", None]
    assert rows.column("SELECT user_id FROM allocations WHERE status = 'ALLOCATED'") == ["u2"]


@pytest.mark.parametrize(
    ("target", "body", "field"),
    [
        ("", {"requests": []}, "body.requests"),
        ("", {"requests": [{"userId": "u1"}] * 101}, "body.requests"),
        ("", {"requests": [{"userId": "u1"}, {}]}, "body.requests.1.userId"),
        (
            "",
            {"requests": [{"userId": "u1", "idempotencyKey": "a b"}]},
            "body.requests.0.idempotencyKey",
        ),
        ("/release", {"allocationIds": []}, "body.allocationIds"),
        ("/release", {"allocationIds": [UNKNOWN] * 101}, "body.allocationIds"),
        ("/extend", {"allocationIds": [UNKNOWN]}, "body.additionalMinutes"),
        ("/extend", {"allocationIds": [UNKNOWN], "additionalMinutes": 0}, "body.additionalMinutes"),
    ],
)
def test_a_malformed_batch_is_refused_as_a_whole(
    api: Client, target: str, body: dict[str, Any], field: str
) -> None:
    reply = api.send("POST", BATCH + target, body=body)

    assert (reply.status, reply.fields) == (422, [field])


class Deadlocking(Database):
    """A database whose first transaction is a deadlock victim just before it commits."""

    deadlocks = 1

    @contextmanager
    def transaction(self) -> Iterator[BulkCursor]:
        with super().transaction() as cursor:
            yield cursor
            if self.deadlocks:
                self.deadlocks -= 1
                raise pymysql.OperationalError(1213, "Deadlock found when trying to get lock")


def allocator(database: Database, strategy: AllocationStrategy) -> Allocator:
    return Allocator(UnitsOfWork(database, Quota(1000), lambda: None), strategy)


@pytest.mark.parametrize("strategy", AllocationStrategy)
def test_the_number_of_statements_does_not_depend_on_the_size_of_a_batch(
    database: Database, rows: Rows, strategy: AllocationStrategy
) -> None:
    rows.devices(120)
    spent = {}
    for size in (1, 100):
        wanted = [
            AllocationRequest(f"user-{n % 7}", 60, Requirements(), f"{size}-{n}")
            for n in range(size)
        ]
        with counted(database) as allocating:
            given = allocator(database, strategy).allocate_all(wanted, "user:root")
        records = [one for one in given if isinstance(one, AllocationRecord)]
        assert len(records) == size
        leases = Leases(UnitsOfWork(database, Quota(1), lambda: None), 10_080)
        with counted(database) as extending:
            leases.extend(records, 5, "user:root")
        with counted(database) as releasing:
            leases.release(records, "user:root")
        spent[size] = [one.total for one in (allocating, extending, releasing)]
        assert {one.commits for one in (allocating, extending, releasing)} == {1}

    allowed = 1 if strategy is AllocationStrategy.RANDOM else 0  # the wheel's other half
    assert spent[100][0] <= 14 + allowed
    assert abs(spent[100][0] - spent[1][0]) <= 2 + allowed  # users who are known by now
    assert spent[1][1:] == spent[100][1:]


def test_a_batch_chosen_as_a_deadlock_victim_is_retried(database_url: str, rows: Rows) -> None:
    rows.devices(3)
    settings = DatabaseSettings.model_validate({"DATABASE_URL": database_url})
    wanted = [AllocationRequest("u1", 60, Requirements())] * 2

    given = allocator(Deadlocking(settings), AllocationStrategy.RESOURCE_BASED).allocate_all(
        wanted, "user:root"
    )

    assert all(isinstance(one, AllocationRecord) for one in given)
    assert len(rows.all("SELECT 1 FROM allocations")) == 2


def test_without_a_database_the_whole_batch_is_a_503(
    api_environment: dict[str, str],
) -> None:
    away = api_environment | {"DATABASE_URL": "mysql://x@127.0.0.1:1/x"}
    api = Client(AllocationApi(ApiSettings.model_validate(away)).handle)

    assert allocate(api, {"userId": "u1"}).code == "database_unavailable"
