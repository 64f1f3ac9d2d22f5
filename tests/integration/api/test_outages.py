from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.support.logged import logged

if TYPE_CHECKING:
    import pytest

    from local.servers.mariadb import MariaDB
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows


def errors_counted(output: pytest.CaptureFixture[str]) -> list[float]:
    lines = [json.loads(one) for one in output.readouterr().out.splitlines()]
    name = "scheduler_api_errors_total"
    return [line[name] for line in lines if name in line and "function_version" in line]


def test_requests_fail_with_503_during_an_outage_and_succeed_afterwards(
    api: Client, rows: Rows, mariadb: MariaDB, capsys: pytest.CaptureFixture[str]
) -> None:
    rows.device()
    assert api.get("/api/devices").status == 200
    assert errors_counted(capsys) == []

    mariadb.kill()
    replies = [api.allocate("u1"), api.get("/api/devices"), api.get("/api/devices/d1")]
    mariadb.start()

    for reply in replies:
        assert (reply.status, reply.code) == (503, "database_unavailable")
        assert reply.headers["Retry-After"] == "1"
        assert "127.0.0.1" not in str(reply.body)
    assert errors_counted(capsys) == [1, 1, 1]  # the rollout of a version watches them
    assert api.allocate("u1").status == 201


def test_a_table_that_is_missing_during_a_deployment_is_an_outage_that_reveals_nothing(
    api: Client, rows: Rows
) -> None:
    rows.run("RENAME TABLE devices TO devices_away")
    try:
        reply = api.get("/api/devices")
    finally:
        rows.run("RENAME TABLE devices_away TO devices")

    assert (reply.status, reply.code) == (503, "database_unavailable")
    assert reply.body["error"].keys() == {"code", "message"}
    assert "devices" not in reply.body["error"]["message"]


def test_line_with_the_traceback_has_the_correlation_id_that_the_response_has(
    api: Client, mariadb: MariaDB
) -> None:
    mariadb.kill()
    with logged() as lines:
        api.get("/api/devices")
    mariadb.start()

    failed, answered = lines()
    assert "Traceback" in failed["exception"]
    assert failed["correlation_id"] == answered["correlation_id"] != ""
