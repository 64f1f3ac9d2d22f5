"""The report of a batch: a log line per message, and metrics."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.support.events import message
from tests.support.functions import Functions
from tests.support.logged import logged
from tests.support.store import Store
from tests.support.world import held, user, world

Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines() -> Iterator[Lines]:
    """The log lines about messages; without a broker there is another about the nudge."""
    with logged() as written:
        yield lambda: [line for line in written() if "event_type" in line]


def figures(output: str) -> dict[str, dict[str, float]]:
    """Return the metrics by name and labels, read from EMF documents as CloudWatch does."""
    found: dict[str, dict[str, float]] = {}
    for document in map(json.loads, output.splitlines()):
        for directive in document["_aws"]["CloudWatchMetrics"]:
            (dimensions,) = directive["Dimensions"]
            labels = ",".join(document[name] for name in sorted(dimensions))
            for metric in directive["Metrics"]:
                found.setdefault(metric["Name"], {})[labels] = document[metric["Name"]]
    return found


def test_each_message_is_one_log_line_with_its_outcome(
    store: Store, functions: Functions, lines: Lines
) -> None:
    store.seed(world(held("d1")))
    sent = message("device.failed", id="m-1")
    sent = sent._replace(properties={**sent.properties, "correlation_id": "c-1"})

    functions.handle(sent, sent)

    done, duplicate = lines()
    assert done["message"] == (
        "Received device.failed event: d1 (reason: Docker container crashed);"
        " Auto-released allocation allocation-of-d1 due to device failure (user u1)"
    )
    expected = {
        "level": "INFO",
        "event_type": "device.failed",
        "outcome": "success",
        "message_id": "m-1",
        "correlation_id": "c-1",
        "device_id": "d1",
        "attempt": 0,
        "released": 1,
        "notifications": 1,
    }
    assert {name: done[name] for name in expected} == expected
    assert (duplicate["outcome"], duplicate["released"]) == ("duplicate", 0)


def test_line_about_a_user_has_their_id_and_no_address(
    store: Store, functions: Functions, lines: Lines
) -> None:
    store.seed(world(user(), *(held(f"d{n}") for n in range(8))))

    functions.handle(
        message("user.quota_updated", oldQuota={"maxDevices": 8}, newQuota={"maxDevices": 5}),
        message("user.suspended"),
    )

    quota, suspended = lines()
    assert quota["message"] == (
        "Received user.quota_updated event: u1 (devices: 8 → 5);"
        " Released 3 excess devices due to quota reduction of u1; account notices: 1"
    )
    assert (quota["user_id"], quota["released"]) == ("u1", 3)
    assert (quota["notifications"], quota["account_notices"]) == (3, 1)
    assert "Released 5 allocations, sent 5 notifications" in suspended["message"]
    assert (suspended["released"], suspended["notifications"]) == (5, 5)
    assert "someone@example.com" not in str(lines())
    assert "+8613800138000" not in str(lines())


def test_invalid_message_is_logged_with_its_reason_and_without_its_body(
    connected: Functions, lines: Lines
) -> None:
    connected.handle(message("device.failed", deviceId="very secret\x00"))

    (line,) = lines()
    assert (line["level"], line["outcome"]) == ("ERROR", "invalid")
    assert "deviceId: must not contain" in line["message"]
    assert "secret" not in str(lines())


def test_metrics_of_a_batch_have_the_documented_names_and_labels(
    store: Store, functions: Functions, capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    assert lines is not None
    store.seed(world(held("d1"), held("d2"), held("d3", by="u2")))
    twice = message("user.suspended", userId="u1")

    functions.handle(twice, twice, message("user.suspended", userId="u2"))

    output = capsys.readouterr().out
    found = figures(output)
    durations = found.pop("scheduler_event_processing_duration_seconds")
    assert found == {
        "scheduler_event_consumed_total": {
            "user.suspended,success": 2,
            "user.suspended,duplicate": 1,
        },
        "scheduler_auto_release_total": {"user_suspended": 3},
        "scheduler_batch_size": {"": 3},
        "scheduler_batches_total": {"scheduler.user-suspended": 1},
    }
    assert list(durations) == ["user.suspended"]
    assert 0 < durations["user.suspended"] < 60
    assert len(output.splitlines()) == 2


def test_large_batch_writes_one_document(
    store: Store, functions: Functions, capsys: pytest.CaptureFixture[str], lines: Lines
) -> None:
    store.seed(world(*(held(f"d{n}", by=f"u{n}") for n in range(200))))

    functions.handle(*(message("device.failed", deviceId=f"d{n}") for n in range(200)))

    assert len(capsys.readouterr().out.splitlines()) == 1
    assert len(lines()) == 200
