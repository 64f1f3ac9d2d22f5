"""The outcome of a message: what operators are told."""

from __future__ import annotations

from scheduler.pipeline.outcome import Outcome, Verdict
from tests.support.deciding import parsed
from tests.support.events import message


def test_operators_find_a_message_by_its_id_whether_or_not_it_is_valid() -> None:
    sent = message("device.failed", id="m-1")

    assert Outcome(sent, Verdict.INVALID).message_id == "m-1"
    assert Outcome(sent, Verdict.DONE, parsed(sent)).message_id == "m-1"


def test_message_that_failed_has_released_and_notified_nobody() -> None:
    outcome = Outcome(message("device.failed"), Verdict.FAILED)

    assert (outcome.released, outcome.notified, outcome.account_notices) == ((), 0, 0)
