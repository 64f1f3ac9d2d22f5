"""``watch`` is readable at 80 columns, whatever the numbers are."""

from __future__ import annotations

from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from ops.snapshot import queue_view
from scheduler.messaging.topology import WORK_QUEUES, queues
from scheduler.pipeline.settle import Settlement


def found(number: int, outcomes: dict[str, dict[str, int]] | None) -> dict[str, Any]:
    depth = {
        "ready": number,
        "unacked": number,
        "consumers": 1,
        "publishRate": float(number),
        "ackRate": float(number),
    }
    return {
        "at": "2026-11-26T12:00:00+00:00",
        "shards": 1,
        "queues": {queue.name: dict(depth) for queue in queues()},
        "outcomes": outcomes,
    }


def text(result: dict[str, Any], width: int) -> str:
    console = Console(file=StringIO(), width=width, no_color=True)
    console.print(queue_view(result, console))
    file = console.file
    assert isinstance(file, StringIO)
    return file.getvalue()


EVENTS = [f"{queue.event_type} " for queue in WORK_QUEUES]
ALL: dict[str, dict[str, int]] = {
    queue.event_type: {str(status): 123_456 for status in Settlement} for queue in WORK_QUEUES
}


@pytest.mark.parametrize("number", [0, 7, 123_456])
@pytest.mark.parametrize("outcomes", [None, {}, ALL], ids=["none", "empty", "all"])
def test_event_names_are_whole_and_no_line_is_too_long(
    number: int, outcomes: dict[str, dict[str, int]] | None
) -> None:
    lines = text(found(number, outcomes), 80).splitlines()

    assert all(len(line.rstrip()) <= 80 for line in lines)
    for queue in WORK_QUEUES:
        assert any(line.startswith(f"{queue.event_type} ") for line in lines)
    assert "…" not in "".join(lines)


def test_columns_that_are_zero_everywhere_go_first() -> None:
    outcomes = {"device.failed": {"success": 7}}

    heading = text(found(0, outcomes), 80).splitlines()[0].split()
    wide = text(found(0, outcomes), 200).splitlines()[0].split()

    assert "success" in heading
    assert "dup" not in heading
    assert "dup" in wide


@pytest.mark.parametrize(
    ("seconds", "shown"), [(0, "<1min"), (59, "<1min"), (720, "12min"), (3_540, ">1h")]
)
def test_age_of_a_queue_is_shown_to_the_minute(seconds: int, shown: str) -> None:
    result = found(0, None)
    result["queues"] |= {"scheduler.device-failed": {"ready": 3, "unacked": 0, "consumers": 1}}
    result["queues"]["scheduler.device-failed"]["ageSeconds"] = seconds

    heading, *rows = (line.split() for line in text(result, 80).splitlines() if line)

    (row,) = (one for one in rows if one[0] == "device.failed")
    assert row[heading.index("Age")] == shown


def test_rows_that_are_zero_are_left_out_on_a_low_terminal() -> None:
    result = found(0, None)
    result["queues"]["scheduler.user-deleted"]["ready"] = 3

    def events(height: int, *, terminal: bool = True) -> int:
        console = Console(
            file=StringIO(), width=80, height=height, no_color=True, force_terminal=terminal
        )
        console.print(queue_view(result, console))
        assert isinstance(console.file, StringIO)
        lines = console.file.getvalue().splitlines()
        assert any(line.startswith("user.deleted ") for line in lines)
        return sum(line.startswith(tuple(EVENTS)) for line in lines)

    high = len(WORK_QUEUES) + 6  # the heading and what is below the rows
    assert events(high) == len(WORK_QUEUES)
    assert events(high - 1) == 1
    assert events(high - 1, terminal=False) == len(WORK_QUEUES)


def test_queue_of_a_removed_shard_has_a_row_and_one_that_never_existed_hides_nothing() -> None:
    result = found(0, None) | {"shards": 4, "deployedShards": 1}
    every = {queue.name: None for queue in queues(shards=4)}
    stranded = {"ready": 7, "unacked": 0, "consumers": 0}
    result["queues"] = {
        **every,
        **result["queues"],
        "scheduler.device-failed.1": stranded,
        "scheduler.device-failed.1.retry": stranded,
    }

    heading, *lines = (line.split() for line in text(result, 80).splitlines() if line)

    rows = {line[0]: line for line in lines[:-1]}
    assert rows.keys() == {*(queue.event_type for queue in WORK_QUEUES), "device.failed.1"}
    assert rows["device.failed.1"][heading.index("Ready")] == "7"
    assert rows["device.failed.1"][-1] == "0"
    assert "missing" not in text(result, 80)


def test_missing_queue_of_a_deployed_shard_is_reported() -> None:
    result = found(0, None) | {"shards": 2, "deployedShards": 2}
    missing = {queue.name for queue in queues(shards=2)} - result["queues"].keys()
    result["queues"] |= dict.fromkeys(missing)

    assert "missing" in text(result, 80)
