"""Bad and unusual samples end where they must; requests get the answers their table names."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from events.api_requests import REQUESTS
from events.bad_samples import BAD
from events.generate import SAMPLES_FOLDER
from events.samples import VALID

if TYPE_CHECKING:
    from events.samples import Sample
    from tests.sam.docker.stage import Stage

REASONS = {
    "not-json": "not JSON",
    "wrong-type": "overdueDays",
    "missing-field": "reason",
    "binary-body": "not JSON",
    "unknown-queue": "unknown event",
}
"""Part of the error on the dead letter."""
RELEASED = {
    "null-properties": {"device-005": "设备故障：Kernel panic"},
    "header-bytes": {"device-006": "设备故障：Disk full"},
    "damaged-text": {"device-005": "设备故障：dark �"},
    "two-queues": {"device-007": "设备故障：Overheated", "device-008": "设备维护：更换电池"},
}
HELD = ("device-005", "device-006", "device-007", "device-008")


@pytest.mark.parametrize("sample", BAD, ids=lambda sample: sample.name)
def test_bad_sample_has_the_listed_result(sample: Sample, stage: Stage) -> None:
    stage.hold(*HELD)
    done = len(sample.messages) - sample.dead_letters

    totals = stage.invoke(f"bad/{sample.name}")

    expected = {"success": done, "invalid": sample.dead_letters}
    assert totals == {outcome: count for outcome, count in expected.items() if count}
    letters = stage.dead_letters()
    assert [REASONS[sample.name] in letter.headers["x-error"] for letter in letters] == [
        True
    ] * sample.dead_letters
    assert stage.released() == RELEASED.get(sample.name, {})


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.name)
def test_request_has_the_listed_status(request_: Any, stage: Stage) -> None:  # noqa: ANN401 - pytest's own name is taken
    answer = stage.invoke(f"api/{request_.name}")

    assert answer["statusCode"] == request_.status, answer
    match request_.name:
        case "create-allocation":
            assert stage.held() == [json.loads(answer["body"])["deviceId"]]
        case "update-user":
            assert stage.row("max_devices, locale", "users", "user-123") == (8, "en")
        case _:
            assert stage.held() == []


def test_no_sample_file_is_left_out() -> None:
    there = {
        str(path.relative_to(SAMPLES_FOLDER).with_suffix(""))
        for path in SAMPLES_FOLDER.rglob("*.json")
    }

    assert there == {
        *(sample.name for sample in VALID),
        *(f"bad/{sample.name}" for sample in BAD),
        *(f"api/{request.name}" for request in REQUESTS),
    }
