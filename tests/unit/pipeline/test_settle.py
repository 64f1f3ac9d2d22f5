"""How each message is settled."""

import pytest

from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settlement, settle
from tests.support.deciding import parsed
from tests.support.events import message

CRITICAL, INFORMATIONAL = "device.failed", "device.status_changed"


def settlement(verdict: Verdict, event_type: str = CRITICAL, attempt: int = 0) -> Settlement:
    sent = message(event_type, headers={"x-attempt": attempt})
    known = None if verdict in {Verdict.INVALID, Verdict.KILLER} else parsed(sent)
    return settle(Outcome(sent, verdict, known), max_retries=3).settlement


@pytest.mark.parametrize(
    ("verdict", "event_type", "attempt", "expected"),
    [
        (Verdict.DONE, CRITICAL, 0, Settlement.SUCCESS),
        (Verdict.DUPLICATE, CRITICAL, 0, Settlement.DUPLICATE),
        (Verdict.OUTDATED, CRITICAL, 0, Settlement.OUTDATED),
        (Verdict.INVALID, CRITICAL, 0, Settlement.INVALID),
        (Verdict.INVALID, INFORMATIONAL, 0, Settlement.INVALID),
        (Verdict.CONFLICT, CRITICAL, 0, Settlement.DEAD_LETTERED),
        (Verdict.CONFLICT, INFORMATIONAL, 0, Settlement.DEAD_LETTERED),
        (Verdict.KILLER, CRITICAL, 0, Settlement.DEAD_LETTERED),
        (Verdict.FAILED, CRITICAL, 0, Settlement.RETRIED),
        (Verdict.FAILED, CRITICAL, 2, Settlement.RETRIED),
        (Verdict.FAILED, CRITICAL, 3, Settlement.DEAD_LETTERED),
        (Verdict.FAILED, CRITICAL, 99, Settlement.DEAD_LETTERED),
        (Verdict.FAILED, INFORMATIONAL, 0, Settlement.RETRIED),
        (Verdict.FAILED, INFORMATIONAL, 2, Settlement.RETRIED),
        (Verdict.FAILED, INFORMATIONAL, 3, Settlement.ERROR),
        (Verdict.PARKED, CRITICAL, 0, Settlement.RETRIED),
        (Verdict.PARKED, CRITICAL, 3, Settlement.RETRIED),
        (Verdict.PARKED, INFORMATIONAL, 0, Settlement.RETRIED),
        (Verdict.HELD, CRITICAL, 3, Settlement.RETRIED),
        (Verdict.HELD, INFORMATIONAL, 3, Settlement.RETRIED),
    ],
)
def test_verdict_determines_the_settlement(
    verdict: Verdict, event_type: str, attempt: int, expected: Settlement
) -> None:
    assert settlement(verdict, event_type, attempt) is expected


def test_every_verdict_has_a_settlement() -> None:
    assert {settlement(verdict) for verdict in Verdict} == {
        Settlement.SUCCESS,
        Settlement.DUPLICATE,
        Settlement.OUTDATED,
        Settlement.INVALID,
        Settlement.RETRIED,
        Settlement.DEAD_LETTERED,
    }
