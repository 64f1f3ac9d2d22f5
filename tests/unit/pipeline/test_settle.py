"""How each message is settled."""

import pytest

from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement, settle
from tests.support.deciding import parsed
from tests.support.events import QUEUE_OF, message

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


@pytest.mark.parametrize(
    ("verdict", "queue", "expected"),
    [
        (Verdict.INVALID, QUEUE_OF[CRITICAL], True),
        (Verdict.FAILED, QUEUE_OF[CRITICAL], True),
        (Verdict.KILLER, QUEUE_OF[CRITICAL], False),
        (Verdict.INVALID, "unknown", False),
    ],
)
def test_dead_letter_that_the_broker_refuses_can_be_parked_unless_it_kills_or_has_no_queue(
    verdict: Verdict, queue: str, *, expected: bool
) -> None:
    sent = message(CRITICAL)._replace(queue=queue)

    assert Settled(Outcome(sent, verdict), Settlement.DEAD_LETTERED).can_be_parked is expected


def test_parked_dead_letter_uses_no_attempt_and_says_why() -> None:
    sent = message(CRITICAL, headers={"x-attempt": 3})
    letter = settle(Outcome(sent, Verdict.FAILED, parsed(sent), "E: failed"), max_retries=3)

    parked = letter.parked("refused")

    assert (letter.is_dead_letter, parked.is_dead_letter) == (True, False)
    assert (parked.settlement, parked.next_attempt) == (Settlement.RETRIED, 3)
    assert parked.outcome.error == "E: failed; parked: refused"


def test_only_an_invalid_or_dead_lettered_message_is_a_dead_letter() -> None:
    outcome = Outcome(message(CRITICAL), Verdict.INVALID)

    letters = {one for one in Settlement if Settled(outcome, one).is_dead_letter}

    assert letters == {Settlement.INVALID, Settlement.DEAD_LETTERED}
