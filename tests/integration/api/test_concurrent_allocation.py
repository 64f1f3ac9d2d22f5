from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.integration.api.rows import Rows

PROGRAM = "tests.integration.api.concurrent_requests"


def at_once(environment: dict[str, str], requests: Iterable[dict[str, Any]]) -> list[Any]:
    """Return status and code (or id) of the responses to requests sent at the same moment."""
    done = subprocess.run(
        [sys.executable, "-m", PROGRAM],
        input=json.dumps(list(requests)),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return list(json.loads(done.stdout.splitlines()[-1]))


def post(user_id: str, key: str | None = None) -> dict[str, Any]:
    headers = {"idempotency-key": key} if key else {}
    body = {"userId": user_id}
    return {"method": "POST", "target": "/api/allocations", "body": body, "headers": headers}


def inconsistent_devices(rows: Rows) -> list[str]:
    return rows.column(
        "SELECT d.id FROM devices d LEFT JOIN allocations a ON a.active_device_id = d.id"
        " WHERE (d.status = 'allocated') <> (a.id IS NOT NULL)"
    )


@pytest.mark.parametrize(
    ("strategy", "requests", "devices"),
    [("resource_based", 200, 50), ("round_robin", 40, 10), ("random", 40, 10)],
)
def test_every_device_is_allocated_once_and_the_rest_are_refused(
    api_environment: dict[str, str], rows: Rows, strategy: str, requests: int, devices: int
) -> None:
    rows.devices(devices)
    environment = api_environment | {"ALLOCATION_STRATEGY": strategy}

    responses = at_once(environment, (post(f"user-{number}") for number in range(requests)))

    assert Counter(status for status, _ in responses) == {201: devices, 409: requests - devices}
    assert {code for status, code in responses if status == 409} == {"no_device_available"}
    held = rows.column("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'")
    assert len(held) == len(set(held)) == devices
    assert not inconsistent_devices(rows)


def test_concurrent_batches_share_the_pool(api_environment: dict[str, str], rows: Rows) -> None:
    rows.devices(60)
    # Every user is in two batches, which name their users in opposite orders.
    users = [[f"user-{(batch * 5 + n) % 60}" for n in range(10)] for batch in range(12)]
    bodies = [
        {"requests": [{"userId": one} for one in names[:: (-1) ** i]]}
        for i, names in enumerate(users)
    ]

    responses = at_once(
        api_environment,
        ({"method": "POST", "target": "/api/allocations/batch", "body": body} for body in bodies),
    )

    assert {status for status, _ in responses} == {200}
    assert sum(success for _, success in responses) == 60
    held = rows.column("SELECT device_id FROM allocations WHERE status = 'ALLOCATED'")
    assert len(held) == len(set(held)) == 60
    assert not inconsistent_devices(rows)


def test_requests_of_one_new_user_stop_at_the_quota(
    api_environment: dict[str, str], rows: Rows
) -> None:
    rows.devices(20)

    responses = at_once(api_environment, (post("newcomer") for _ in range(20)))

    assert Counter(map(tuple, responses)).items() >= {(403, "quota_exceeded"): 10}.items()
    assert sum(status == 201 for status, _ in responses) == 10
    assert not inconsistent_devices(rows)


def test_repeated_requests_with_one_key_give_one_allocation(
    api_environment: dict[str, str], rows: Rows
) -> None:
    rows.devices(20)

    responses = at_once(api_environment, (post("newcomer", "key-1") for _ in range(20)))

    assert len({tuple(response) for response in responses}) == 1
    assert responses[0][0] == 201
    assert len(rows.all("SELECT id FROM allocations")) == 1
