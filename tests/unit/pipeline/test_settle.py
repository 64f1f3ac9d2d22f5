"""How each message is settled: the table of the broker contract."""

from datetime import UTC, datetime

import pytest

from scheduler.messaging.message import Message
from scheduler.messaging.outbound import OutboundMessage
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, Settlement, settle
from tests.support.deciding import parsed
from tests.support.events import message
from tests.support.world import MINUTE, NOW

CRITICAL, INFORMATIONAL = "device.failed", "device.status_changed"
RETRIES = 3


def settled(
    verdict: Verdict, event_type: str = CRITICAL, *, attempt: int = 0, error: str = ""
) -> Settled:
    sent = message(event_type, headers={"x-attempt": attempt})
    known = None if verdict in {Verdict.INVALID, Verdict.KILLER} else parsed(sent)
    return settle(Outcome(sent, verdict, known, error), RETRIES)


def published(one: Settled) -> OutboundMessage:
    out = outbound_message(one, NOW)
    assert out
    return out


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
        (Verdict.FAILED, INFORMATIONAL, 0, Settlement.ERROR),
        (Verdict.FAILED, INFORMATIONAL, 3, Settlement.ERROR),
        (Verdict.PARKED, CRITICAL, 0, Settlement.RETRIED),
        (Verdict.PARKED, CRITICAL, 3, Settlement.RETRIED),
        (Verdict.PARKED, INFORMATIONAL, 0, Settlement.RETRIED),
    ],
)
def test_the_verdict_decides_how_a_message_is_settled(
    verdict: Verdict, event_type: str, attempt: int, expected: Settlement
) -> None:
    assert settled(verdict, event_type, attempt=attempt).settlement is expected


def test_every_verdict_is_in_the_table() -> None:
    assert {settled(verdict).settlement for verdict in Verdict} == {
        Settlement.SUCCESS,
        Settlement.DUPLICATE,
        Settlement.OUTDATED,
        Settlement.INVALID,
        Settlement.RETRIED,
        Settlement.DEAD_LETTERED,
    }


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.DUPLICATE, Verdict.OUTDATED])
def test_what_is_done_is_acknowledged_by_returning(verdict: Verdict) -> None:
    assert outbound_message(settled(verdict), NOW) is None


def test_a_failed_informational_message_is_acknowledged() -> None:
    assert outbound_message(settled(Verdict.FAILED, INFORMATIONAL), NOW) is None


@pytest.mark.parametrize(
    ("verdict", "attempt", "next_attempt"),
    [
        (Verdict.FAILED, 0, 1),
        (Verdict.FAILED, 2, 3),
        (Verdict.PARKED, 0, 0),
        (Verdict.PARKED, 3, 3),
    ],
)
def test_a_failure_uses_up_an_attempt_and_an_outage_does_not(
    verdict: Verdict, attempt: int, next_attempt: int
) -> None:
    out = published(settled(verdict, attempt=attempt))

    assert (out.exchange, out.routing_key) == ("", "scheduler.device-failed.retry")
    assert out.properties["headers"]["x-attempt"] == next_attempt


def test_a_dead_letter_goes_to_its_exchange_under_the_key_of_its_queue() -> None:
    out = published(settled(Verdict.INVALID))

    assert (out.exchange, out.routing_key) == ("cloudphone.dlx", "scheduler.device-failed.failed")


def test_a_dead_letter_of_an_unknown_queue_is_routed_as_well() -> None:
    out = published(settle(Outcome(Message("who.knows", b"", {}), Verdict.INVALID), RETRIES))

    assert out.routing_key == "scheduler.unknown-queue.failed"
    assert out.properties["headers"]["x-source-queue"] == "who.knows"


def test_a_dead_letter_says_what_went_wrong_when_and_where() -> None:
    out = published(settled(Verdict.FAILED, attempt=3, error="KeyError: 'x'"))

    assert out.properties["headers"] == {
        "x-attempt": 3,
        "x-error": "KeyError: 'x'",
        "x-failed-at": NOW.isoformat(),
        "x-first-failed-at": NOW.isoformat(),
        "x-source-queue": "scheduler.device-failed",
    }


def test_the_time_of_the_first_failure_survives_every_hop() -> None:
    first = published(settled(Verdict.FAILED)).properties
    again = Message("scheduler.device-failed", b"{}", first)

    out = outbound_message(settle(Outcome(again, Verdict.INVALID), RETRIES), NOW + MINUTE)

    assert out
    assert out.properties["headers"]["x-first-failed-at"] == NOW.isoformat()
    assert out.properties["headers"]["x-failed-at"] == (NOW + MINUTE).isoformat()


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INVALID, Verdict.PARKED])
def test_the_properties_and_the_body_of_the_publisher_survive(verdict: Verdict) -> None:
    sent_at = datetime(2026, 2, 1, 10, tzinfo=UTC)
    properties = {
        "content_type": "application/json",
        "message_id": "m",
        "correlation_id": "c",
        "priority": 3,
        "headers": {"trace": "t", "x-attempt": 1},
    }
    sent = Message("scheduler.device-failed", b"\xff{", properties, sent_at)

    out = published(settle(Outcome(sent, verdict, error="e"), RETRIES))

    assert out.body == b"\xff{"
    assert out.properties["headers"].items() >= {"trace": "t"}.items()
    assert {**out.properties, "headers": None} == {
        **properties,
        "headers": None,
        "timestamp": int(sent_at.timestamp()),
    }


def test_a_message_is_not_changed_by_settling_it() -> None:
    one = settled(Verdict.FAILED)
    before = {**one.outcome.message.properties}

    published(one)

    assert one.outcome.message.properties == before


@pytest.mark.parametrize("nonsense", ["", "x" * 256, 5, None, ["2026"], b"\xff"])
def test_a_time_of_the_first_failure_that_is_none_is_replaced(nonsense: object) -> None:
    sent = message("device.failed", headers={"x-first-failed-at": nonsense})

    out = published(settle(Outcome(sent, Verdict.INVALID), RETRIES))

    assert out.properties["headers"]["x-first-failed-at"] == NOW.isoformat()


def test_headers_that_leave_no_room_for_ours_are_left_out_longest_first() -> None:
    sent = message("device.failed", headers={"a": "x" * 60_000, "b": "x" * 70_000, "c": 1})

    out = published(settle(Outcome(sent, Verdict.INVALID), RETRIES))

    assert {"a", "b", "c"} & out.properties["headers"].keys() == {"a", "c"}


def test_a_long_error_is_shortened() -> None:
    out = published(settled(Verdict.INVALID, error="x" * 9999))

    assert out.properties["headers"]["x-error"] == "x" * 1000


def test_a_message_of_a_shard_waits_beside_it_and_dies_under_the_name_of_its_event() -> None:
    sent = message(CRITICAL)._replace(shard=2)

    retry = published(settle(Outcome(sent, Verdict.FAILED, parsed(sent)), RETRIES))
    letter = published(settle(Outcome(sent, Verdict.CONFLICT, parsed(sent)), RETRIES))

    assert retry.routing_key == "scheduler.device-failed.2.retry"
    assert letter.routing_key == "scheduler.device-failed.failed"
    assert letter.properties["headers"]["x-source-queue"] == "scheduler.device-failed"
