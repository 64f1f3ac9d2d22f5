"""What the report of a batch says about each outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.report import report
from scheduler.pipeline.settle import Settled, Settlement
from tests.support.events import message
from tests.support.logged import logged
from tests.support.world import NOW

if TYPE_CHECKING:
    from scheduler.messaging.message import Message


def settled(
    settlement: Settlement, verdict: Verdict = Verdict.FAILED, sent: Message | None = None
) -> Settled:
    return Settled(Outcome(sent or message("device.failed"), verdict, error="why"), settlement)


@pytest.mark.parametrize(
    ("settlement", "level"),
    [
        (Settlement.SUCCESS, "INFO"),
        (Settlement.DUPLICATE, "INFO"),
        (Settlement.OUTDATED, "INFO"),
        (Settlement.RETRIED, "WARNING"),
        (Settlement.INVALID, "ERROR"),
        (Settlement.DEAD_LETTERED, "ERROR"),
        (Settlement.ERROR, "ERROR"),
    ],
)
def test_what_needs_an_operator_is_an_error_and_what_is_retried_a_warning(
    settlement: Settlement, level: str
) -> None:
    with logged() as lines:
        report([settled(settlement)], 0.1, NOW)
        (line,) = lines()

    assert (line["level"], line["outcome"]) == (level, settlement)
    assert line["message"] == "Received device.failed event; why"


def test_line_names_the_publisher() -> None:
    sent = message("device.failed")
    sent = sent._replace(properties={**sent.properties, "app_id": "device-monitor"})

    with logged() as lines:
        report([settled(Settlement.RETRIED, sent=sent)], 0.1, NOW)
        (line,) = lines()

    assert line["publisher"] == "device-monitor"


def test_only_held_messages_are_counted_as_held(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = (Verdict.HELD, Verdict.HELD, Verdict.PARKED)

    with logged():
        report([settled(Settlement.RETRIED, verdict) for verdict in verdicts], 0.1, NOW)

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    held = [one["scheduler_mass_failure_held_total"] for one in documents if _counts_held(one)]
    assert held == [2]


def test_batch_of_a_queue_that_is_not_ours_has_no_label_of_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    foreign = message("device.failed")._replace(queue="somebody-elses")

    with logged() as lines:
        report([settled(Settlement.INVALID, Verdict.INVALID, foreign)], 0.1, NOW)
        (line,) = lines()

    assert line["event_type"] == "unknown"
    assert "somebody-elses" not in capsys.readouterr().out


def test_empty_batch_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with logged() as lines:
        report([], 0.1, NOW)
        assert lines() == []

    assert capsys.readouterr().out == ""


def _counts_held(document: dict[str, object]) -> bool:
    return "scheduler_mass_failure_held_total" in document
