"""Properties of the publisher are preserved; those of the broker are not republished."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.integration.broker.marked import RAISES

if TYPE_CHECKING:
    from scheduler.pipeline.consumer import Consumer
    from tests.integration.broker.hops import Hops

FAILED = "device.failed"
PROPERTIES = {
    "message_id": "消息-1",
    "correlation_id": "c-1",
    "content_type": "application/json; charset=utf-8",
    "content_encoding": "identity",
    "type": "device.failed",
    "app_id": "device-service",
    "reply_to": "answers",
    "priority": 3,
    "timestamp": 1_795_500_000,
}
HEADERS = {
    "trace": "设备",
    "number": 2**40,
    "flag": True,
    "nothing": None,
    "nested": {"list": ["a", 1, {"deep": b"\xff"}]},
}
OURS = {"x-attempt", "x-first-failed-at", "x-received-at"}
OURS_ON_DEAD_LETTERS = OURS | {"x-error", "x-failed-at", "x-source-queue"}


def test_properties_and_headers_are_preserved_over_retries_and_the_dead_letter(
    hops: Hops, consumer: Consumer
) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1", properties={**PROPERTIES, "headers": HEADERS})

    first_failed, received = set(), set()
    for _ in range(3):
        hops.deliver(consumer, {FAILED: 1})
        again = hops.look(FAILED)
        assert {name: getattr(again.properties, name) for name in PROPERTIES} == PROPERTIES
        assert again.properties.delivery_mode == 2
        assert again.properties.expiration is None
        assert HEADERS.items() <= again.headers.items()
        # Only the last death: earlier ones were not republished.
        assert [death["count"] for death in again.headers["x-death"]] == [1]
        first_failed.add(again.headers["x-first-failed-at"])
        received.add(again.headers["x-received-at"])
    hops.deliver(consumer, {FAILED: 1})

    (letter,) = hops.dead_letters()
    assert {name: getattr(letter.properties, name) for name in PROPERTIES} == PROPERTIES
    assert {n: v for n, v in letter.headers.items() if n not in OURS_ON_DEAD_LETTERS} == HEADERS
    assert first_failed == {letter.headers["x-first-failed-at"]}
    assert received == {letter.headers["x-received-at"]}


def test_message_without_properties_is_retried(hops: Hops, consumer: Consumer) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1", properties={"message_id": None})

    for _ in range(4):
        hops.deliver(consumer, {FAILED: 1})

    (letter,) = hops.dead_letters()
    assert letter.headers.keys() == OURS_ON_DEAD_LETTERS | {"x-identity"}
    assert letter.properties.message_id is None


def test_headers_set_by_the_broker_are_not_republished(hops: Hops, consumer: Consumer) -> None:
    forged = {"x-death": [{"count": 9}], "x-delivery-count": 99, "x-first-death-queue": "elsewhere"}
    hops.publish(FAILED, body=b"{", properties={"headers": {**forged, "mine": 1}})

    hops.deliver(consumer, {FAILED: 1})

    (letter,) = hops.dead_letters()
    assert letter.headers.keys() == OURS_ON_DEAD_LETTERS | {"mine"}


def test_invalid_attempt_header_counts_as_zero(hops: Hops, consumer: Consumer) -> None:
    for nonsense in ("many", -1, 2**40):
        hops.publish(FAILED, deviceId=f"{RAISES}1", properties={"headers": {"x-attempt": nonsense}})

    assert hops.deliver(consumer, {FAILED: 3}) == {"retried": 3}
    assert hops.look(FAILED).headers["x-attempt"] == 1
