"""What the report of a batch says about each outcome."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.report import Reporter, logger
from scheduler.pipeline.settle import Settled, Settlement, settle
from tests.support.events import message
from tests.support.logged import logged
from tests.support.world import NOW

if TYPE_CHECKING:
    from scheduler.messaging.message import Message


def settled(
    settlement: Settlement, verdict: Verdict = Verdict.FAILED, sent: Message | None = None
) -> Settled:
    return Settled(Outcome(sent or message("device.failed"), verdict, error="why"), settlement)


def report(batch: list[Settled]) -> None:
    Reporter(max_retries=3).report(batch, 0.1, NOW)


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
        report([settled(settlement)])
        (line,) = lines()

    assert (line["level"], line["outcome"]) == (level, settlement)
    assert line["message"] == "Received device.failed event; why"


def test_line_names_the_publisher() -> None:
    sent = message("device.failed")
    sent = sent._replace(properties={**sent.properties, "app_id": "device-monitor"})

    with logged() as lines:
        report([settled(Settlement.RETRIED, sent=sent)])
        (line,) = lines()

    assert line["publisher"] == "device-monitor"


def test_only_held_messages_are_counted_as_held(capsys: pytest.CaptureFixture[str]) -> None:
    verdicts = (Verdict.HELD, Verdict.HELD, Verdict.PARKED)

    with logged():
        report([settled(Settlement.RETRIED, verdict) for verdict in verdicts])

    documents = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    held = [one["scheduler_mass_failure_held_total"] for one in documents if _counts_held(one)]
    assert held == [2]


def test_batch_of_a_queue_that_is_not_ours_has_no_label_of_its_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    foreign = message("device.failed")._replace(queue="somebody-elses")

    with logged() as lines:
        report([settled(Settlement.INVALID, Verdict.INVALID, foreign)])
        (line,) = lines()

    assert line["event_type"] == "unknown"
    assert "somebody-elses" not in capsys.readouterr().out


def test_empty_batch_is_not_reported(capsys: pytest.CaptureFixture[str]) -> None:
    with logged() as lines:
        report([])
        assert lines() == []

    assert capsys.readouterr().out == ""


def test_line_that_was_prepared_is_written_only_if_its_message_is_settled_as_expected() -> None:
    applied = Outcome(message("device.failed"), Verdict.DONE, remarks=("as prepared",))
    refused = Outcome(message("device.failed"), Verdict.CONFLICT, error="as prepared")
    reporter = Reporter(max_retries=3)
    reporter.prepare([applied, refused])
    parked = settle(refused, 3).parked("the broker refused it")

    with logged() as lines:
        assert lines() == []
        reporter.report([settle(applied, 3), parked], 0.1, NOW)
        written = lines()

    assert [line["outcome"] for line in written] == [Settlement.SUCCESS, Settlement.RETRIED]
    assert [line["message"] for line in written] == [
        "Received device.failed event; as prepared",
        "Received device.failed event; as prepared; parked: the broker refused it",
    ]


def test_line_that_was_prepared_says_which_invocation_reports_it() -> None:
    outcome = Outcome(message("device.failed"), Verdict.DONE)
    reporter = Reporter(max_retries=3)
    with logger.append_context_keys(function_request_id="interrupted"):
        reporter.prepare([outcome])

    with logger.append_context_keys(function_request_id="next"), logged() as lines:
        reporter.start()
        reporter.report([settle(outcome, 3)], 0.1, NOW)
        (line,) = lines()

    assert line["function_request_id"] == "next"


def _counts_held(document: dict[str, object]) -> bool:
    return "scheduler_mass_failure_held_total" in document
