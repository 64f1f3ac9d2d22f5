"""``scheduler-ops timeline``, on the real database."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import pytest

from operations.errors import InvalidInputError
from ops.commands.timeline import parse_moment
from scheduler.messaging.message import to_milliseconds
from tests.integration.ops.running import run
from tests.support.events import encoded, message
from tests.support.functions import Functions
from tests.support.world import MINUTE, NOW, held, world

if TYPE_CHECKING:
    from tests.support.store import Store

AT: Final = NOW.isoformat()


@pytest.fixture
def failed(
    store: Store, database_url: str, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> Store:
    """A device that failed, and a message about its user that became a dead letter."""
    monkeypatch.setenv("DATABASE_URL", database_url)
    store.seed(world(held("d1", by="u1")))
    with Functions(database_url, broker_url) as functions:
        functions.handle(message("device.failed", id="m-1", deviceId="d1", reason="It is dark"))
        bad = {"userId": "u1", "version": "\x1b]0;pwned\x07"}
        functions.handle(message("user.suspended", id="m-2", body=encoded(bad)))
    return store


def timeline(*arguments: str) -> str:
    result = run("timeline", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.usefixtures("failed")
def test_timeline_says_why_the_phone_vanished_and_what_to_do() -> None:
    lines = timeline("user", "u1", "--at", AT).splitlines()

    assert lines[0] == "user u1, 2026-03-01 11:50:00 to 12:10:00 UTC"
    (released,) = (n for n, line in enumerate(lines) if "allocation   released" in line)
    assert lines[released] == "12:00:00  allocation   released (device_failed) u1 d1"
    assert "It is dark" in lines[released + 1]
    assert lines[released + 2].strip() == "message m-1, queue scheduler.device-failed"
    assert "12:00:00  event        user.suspended (dead_lettered)" in lines


def test_timeline_fits_a_terminal_of_80_columns(
    failed: Store, database_url: str, broker_url: str
) -> None:
    failed.seed(world(held("d2", by="u2")))
    wordy = message("device.failed", id="m" * 36, deviceId="d2", reason="dark " * 50)
    with Functions(database_url, broker_url) as functions:
        functions.handle(wordy)

    shown = run("timeline", "device", "d2", "--at", AT, COLUMNS="80", FORCE_COLOR="1").stdout

    assert "m" * 36 in shown
    assert shown.count("dark") == 50
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.usefixtures("failed")
def test_command_to_paste_quotes_the_id_that_a_publisher_chose(
    database_url: str, broker_url: str
) -> None:
    with Functions(database_url, broker_url) as functions:
        functions.handle(message("user.suspended", id="$(reboot)", body=encoded({"userId": "u2"})))

    assert "dead-letters show --id '$(reboot)'\n" in timeline("user", "u2", "--at", AT)


@pytest.mark.usefixtures("failed")
def test_json_holds_the_same_entries() -> None:
    found: Any = json.loads(timeline("device", "d1", "--at", AT, "--around", "1m", "--json"))

    actions = [one["action"] for one in found["entries"]]
    assert actions == ["device.failed", "released", "device_released", "device.released"]
    assert found["entries"][0]["message"]["id"] == "m-1"
    assert found["complete"] is True


@pytest.mark.usefixtures("failed")
def test_timeline_of_an_unknown_id_asks_whether_the_id_is_right() -> None:
    assert "Is the id right?" in timeline("user", "nobody", "--at", AT)


def test_count_of_failed_payments_and_its_reset_are_shown(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store.seed(world(held("d1", by="u1")))
    with Functions(database_url) as functions:
        functions.handle(*(message("billing.payment_failed", userId="u1") for _ in range(3)))
        functions.handle(message("billing.recharged", userId="u1"))

    shown = timeline("user", "u1", "--at", AT)

    assert [f"payment failure count: {n}/3" in shown for n in (1, 2, 3, 4)] == [True] * 3 + [False]
    assert "Reset payment failure count for user u1" in shown


def test_message_that_waited_says_since_when_and_why(
    store: Store, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", database_url)
    store.seed(world(held("d1", by="u1")))
    waited = {
        "x-received-at": to_milliseconds(NOW - 2 * MINUTE),
        "x-first-failed-at": (NOW - 2 * MINUTE).isoformat(),
    }
    with Functions(database_url) as functions:
        functions.handle(message("user.quota_updated", userId="u1", headers=waited))
        functions.handle(message("user.activated", userId="u1", headers=waited | {"x-attempt": 2}))

    shown = timeline("user", "u1", "--at", AT)

    assert "waited since 2026-03-01 11:58:00 (parked or held)" in shown
    assert "waited since 2026-03-01 11:58:00 (failed attempts: 2)" in shown


@pytest.mark.usefixtures("failed")
def test_too_long_window_is_refused() -> None:
    result = run("timeline", "user", "u1", "--around", "90d")

    assert result.exit_code == 2
    assert "error: timeline: the window must have at most 31 days" in result.output


@pytest.mark.parametrize(
    ("given", "moment"),
    [
        ("11:03", datetime(2026, 3, 1, 11, 3, tzinfo=UTC)),
        ("14:03", datetime(2026, 2, 28, 14, 3, tzinfo=UTC)),
        ("11:03:20", datetime(2026, 3, 1, 11, 3, 20, tzinfo=UTC)),
        ("2026-03-01T14:03+08:00", datetime(2026, 3, 1, 6, 3, tzinfo=UTC)),
        ("14:03+08:00", datetime(2026, 3, 1, 6, 3, tzinfo=UTC)),
        ("23:03+08:00", datetime(2026, 2, 28, 15, 3, tzinfo=UTC)),
    ],
)
def test_time_of_day_means_its_last_occurrence(given: str, moment: datetime) -> None:
    assert parse_moment(given, NOW) == moment


@pytest.mark.parametrize("given", ["25:00", "14", "yesterday", "2026-03-01T14:03"])
def test_time_without_a_zone_is_refused(given: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a time"):
        parse_moment(given, NOW)


@pytest.mark.parametrize(
    "given", ["0001-01-01T00:00Z", "0001-01-01T00:00+08:00", "9999-12-31T23:59Z"]
)
def test_window_beyond_the_calendar_is_refused(given: str) -> None:
    result = run("timeline", "user", "u1", "--at", given)

    assert result.exit_code == 2
    assert "between the years" in result.stderr
