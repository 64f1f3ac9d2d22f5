"""``scheduler-ops brake``, on the real database."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from local.endpoints import write
from local.servers.mariadb import DATABASE_NAME
from scheduler.database.running_devices import count_running
from tests.integration.ops.running import run
from tests.support.world import device, held, world

if TYPE_CHECKING:
    from pathlib import Path

    from local.servers.mariadb import MariaDB
    from tests.support.store import Store


@pytest.fixture
def store(store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return the database, which the command line uses as well."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    return store


def brake(*arguments: str) -> Any:  # noqa: ANN401 - any JSON
    result = run("brake", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.mark.usefixtures("store")
def test_brake_is_armed_at_first() -> None:
    assert brake("status") == {
        "brake": "armed",
        "engagedAt": None,
        "engagedBy": None,
        "openUntil": None,
        "releasedLately": 0,
        "heldLately": 0,
        "runningDevices": 0,
        "countedAt": None,
    }


def test_status_counts_releases_and_held_messages(store: Store) -> None:
    store.seed(world(held("d1"), device("d2"), device("d3", health="failed")))
    second = datetime.now(UTC).replace(microsecond=0)
    long_ago = second - timedelta(minutes=2)
    store.insert(
        "mass_failure_seconds",
        "queue, slot, second, released, held",
        [("q1", 1, second, 7, 3), ("q2", 1, second, 1, 1), ("q2", 2, long_ago, 50, 50)],
    )

    with store.database.transaction() as cursor:
        count_running(cursor, 100, second)

    found = brake("status")

    assert found["countedAt"] == second.isoformat()
    assert (found["releasedLately"], found["heldLately"], found["runningDevices"]) == (8, 4, 2)


def test_brake_is_engaged_released_and_armed(store: Store) -> None:
    engaged = brake("engage")
    released = brake("release", "--for", "2h")
    in_two_hours = datetime.fromisoformat(released["openUntil"]) - datetime.now(UTC)
    armed = brake("arm")

    assert (engaged["brake"], engaged["engagedBy"]) == ("engaged", "operator")
    assert (released["brake"], released["engagedAt"]) == ("open", None)
    assert timedelta(minutes=119) < in_two_hours <= timedelta(hours=2)
    assert (armed["brake"], armed["openUntil"]) == ("armed", None)
    assert store.rows("SELECT COUNT(*) FROM mass_failure_brake") == [(1,)]


@pytest.mark.usefixtures("store")
def test_text_names_the_next_step() -> None:
    engaged = run("brake", "engage").stdout

    assert "running devices: not counted yet" in engaged
    assert "engaged by operator for 0 s: releases are held" in engaged
    assert "brake release" in engaged
    assert "all releases are allowed" in run("brake", "release").stdout
    assert "armed: the limit applies" in run("brake", "arm").stdout


@pytest.mark.parametrize("time", ["ever", "0s", ""])
@pytest.mark.usefixtures("store")
def test_invalid_duration_changes_nothing(time: str) -> None:
    result = run("brake", "release", "--for", time)

    assert result.exit_code == 2
    assert "30m" in result.stderr
    assert brake("status")["brake"] == "armed"


def test_default_database_is_that_of_the_local_platform(database_url: str, state_dir: Path) -> None:
    write(state_dir / "endpoints.json", {"database": database_url})

    assert brake("status")["brake"] == "armed"


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("mysql://u:secret@127.0.0.1:1/x", 1, "(runbook: Database away)"),
        ("postgres://u:secret@127.0.0.1/x", 2, "mysql://"),
    ],
)
def test_database_error_does_not_contain_the_password(url: str, code: int, said: str) -> None:
    result = run("brake", "status", "--database-url", url)

    assert result.exit_code == code
    assert said in result.stderr
    assert "secret" not in result.stderr


def test_error_says_that_the_database_is_not_migrated(mariadb: MariaDB) -> None:
    name = f"{DATABASE_NAME}_unmigrated"
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE DATABASE `{name}`")

    result = run("brake", "status", "--database-url", mariadb.url_of(name))

    assert result.exit_code == 1
    assert "migrate it" in result.stderr


def test_error_without_platform_and_url_names_the_fix() -> None:
    result = run("brake", "status")

    assert result.exit_code == 1
    assert "--database-url" in result.stderr
