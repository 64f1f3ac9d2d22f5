"""Retries and dead letters: where they are published, with which properties and headers."""

from datetime import UTC, datetime

import pytest

from scheduler.messaging.message import Message
from scheduler.messaging.outbound import OutboundMessage
from scheduler.pipeline.envelope import outbound_message
from scheduler.pipeline.outcome import Outcome, Verdict
from scheduler.pipeline.settle import Settled, settle
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


@pytest.mark.parametrize("verdict", [Verdict.DONE, Verdict.DUPLICATE, Verdict.OUTDATED])
def test_completed_message_is_not_published(verdict: Verdict) -> None:
    assert outbound_message(settled(verdict), NOW) is None


def test_informational_message_is_retried_and_then_not_published() -> None:
    retry = outbound_message(settled(Verdict.FAILED, INFORMATIONAL, attempt=RETRIES - 1), NOW)

    assert retry
    assert retry.routing_key == "scheduler.device-status-changed.retry"
    assert outbound_message(settled(Verdict.FAILED, INFORMATIONAL, attempt=RETRIES), NOW) is None


@pytest.mark.parametrize(
    ("verdict", "attempt", "next_attempt"),
    [
        (Verdict.FAILED, 0, 1),
        (Verdict.FAILED, 2, 3),
        (Verdict.PARKED, 0, 0),
        (Verdict.PARKED, 3, 3),
        (Verdict.HELD, 0, 0),
        (Verdict.HELD, 3, 3),
    ],
)
def test_failure_uses_an_attempt_and_an_outage_does_not(
    verdict: Verdict, attempt: int, next_attempt: int
) -> None:
    out = published(settled(verdict, attempt=attempt))

    assert (out.exchange, out.routing_key) == ("", "scheduler.device-failed.retry")
    assert out.properties["headers"]["x-attempt"] == next_attempt


def test_dead_letter_has_the_routing_key_of_its_queue() -> None:
    out = published(settled(Verdict.INVALID))

    assert (out.exchange, out.routing_key) == ("cloudphone.dlx", "scheduler.device-failed.failed")


def test_dead_letter_of_an_unknown_queue_is_routed() -> None:
    out = published(settle(Outcome(Message("who.knows", b"", {}), Verdict.INVALID), RETRIES))

    assert out.routing_key == "scheduler.unknown-queue.failed"
    assert out.properties["headers"]["x-source-queue"] == "who.knows"


def test_dead_letter_has_error_time_and_source() -> None:
    out = published(settled(Verdict.FAILED, attempt=3, error="KeyError: 'x'"))

    assert out.properties["headers"] == {
        "x-attempt": 3,
        "x-error": "KeyError: 'x'",
        "x-failed-at": NOW.isoformat(),
        "x-first-failed-at": NOW.isoformat(),
        "x-received-at": int(NOW.timestamp() * 1000),
        "x-source-queue": "scheduler.device-failed",
    }


def test_time_of_the_first_failure_is_preserved() -> None:
    first = published(settled(Verdict.FAILED)).properties
    again = Message("scheduler.device-failed", b"{}", first)

    out = outbound_message(settle(Outcome(again, Verdict.INVALID), RETRIES), NOW + MINUTE)

    assert out
    assert out.properties["headers"]["x-first-failed-at"] == NOW.isoformat()
    assert out.properties["headers"]["x-failed-at"] == (NOW + MINUTE).isoformat()


@pytest.mark.parametrize("verdict", [Verdict.FAILED, Verdict.INVALID, Verdict.PARKED])
def test_publishers_properties_and_body_are_preserved(verdict: Verdict) -> None:
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


def test_wrapping_does_not_change_the_message() -> None:
    one = settled(Verdict.FAILED)
    before = {**one.outcome.message.properties}

    published(one)

    assert one.outcome.message.properties == before


@pytest.mark.parametrize("nonsense", ["", "x" * 256, 5, None, ["2026"], b"\xff"])
def test_invalid_time_of_the_first_failure_is_replaced(nonsense: object) -> None:
    sent = message("device.failed", headers={"x-first-failed-at": nonsense})

    out = published(settle(Outcome(sent, Verdict.INVALID), RETRIES))

    assert out.properties["headers"]["x-first-failed-at"] == NOW.isoformat()


@pytest.mark.parametrize("longest", ["x", "x" * 255])
def test_time_of_the_first_failure_may_have_any_notation(longest: str) -> None:
    sent = message("device.failed", headers={"x-first-failed-at": longest})

    out = published(settle(Outcome(sent, Verdict.INVALID), RETRIES))

    assert out.properties["headers"]["x-first-failed-at"] == longest


def test_longest_headers_are_dropped_if_the_frame_is_full() -> None:
    sent = message("device.failed", headers={"a": "x" * 60_000, "b": "x" * 70_000, "c": 1})

    out = published(settle(Outcome(sent, Verdict.INVALID), RETRIES))

    assert {"a", "b", "c"} & out.properties["headers"].keys() == {"a", "c"}


def test_long_error_is_truncated() -> None:
    out = published(settled(Verdict.INVALID, error="x" * 9999))

    assert out.properties["headers"]["x-error"] == "x" * 1000


def test_message_of_a_shard_is_retried_in_its_shard() -> None:
    sent = message(CRITICAL)._replace(shard=2)

    retry = published(settle(Outcome(sent, Verdict.FAILED, parsed(sent)), RETRIES))
    letter = published(settle(Outcome(sent, Verdict.CONFLICT, parsed(sent)), RETRIES))

    assert retry.routing_key == "scheduler.device-failed.2.retry"
    assert letter.routing_key == "scheduler.device-failed.failed"
    assert letter.properties["headers"]["x-source-queue"] == "scheduler.device-failed"
