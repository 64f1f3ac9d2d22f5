"""Schedules invoke real function processes repeatedly until they are stopped."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from local.schedules import Schedule, Schedules, scheduled_event
from tests.support.together import eventually

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.local.conftest import MakeEnvironment

NOW = datetime(2025, 1, 2, 3, 4, 5, tzinfo=UTC)


def test_event_has_the_format_of_an_eventbridge_rule() -> None:
    event = scheduled_event("expire", NOW)

    assert event["source"] == "aws.events"
    assert event["detail-type"] == "Scheduled Event"
    assert event["time"] == "2025-01-02T03:04:05Z"
    assert event["resources"] == ["arn:aws:events:us-east-1:000000000000:rule/expire"]
    assert event["detail"] == {}


def test_function_is_invoked_until_the_schedule_stops(
    make_environment: MakeEnvironment, tmp_path: Path
) -> None:
    seen = tmp_path / "seen"
    environment = make_environment("scheduled", PROBE_FILE=str(seen))

    schedules = Schedules.start([Schedule(environment, "often", seconds=0.01)])
    eventually(lambda: seen.exists() and len(seen.read_text().splitlines()) >= 3, "three ticks")
    schedules.stop()
    ticks = seen.read_text().splitlines()

    assert {json.loads(tick)["source"] for tick in ticks} == {"aws.events"}
    assert seen.read_text().splitlines() == ticks


def test_failing_function_is_invoked_again(
    make_environment: MakeEnvironment,
) -> None:
    environment = make_environment("fail")

    schedules = Schedules.start([Schedule(environment, "failing", seconds=0.01)])
    eventually(
        lambda: (
            environment.log_file.exists()
            and environment.log_file.read_text().count("told to fail") >= 4
        ),
        "it failed at least twice",
    )
    schedules.stop()
