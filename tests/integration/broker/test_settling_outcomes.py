"""Each outcome and its settlement, on a real broker and a real database."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import pytest

from scheduler.messaging.topology import RETRY_DELAY_MS
from tests.integration.broker.hops import QUEUES
from tests.integration.broker.marked import RAISES, REFUSED, TRIGGER
from tests.support.world import NOW, held, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.pipeline.consumer import Consumer
    from tests.integration.broker.conftest import MakeConsumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
STATUS = "device.status_changed"
FAILURES = {RAISES: "LookupError: no rule for ", REFUSED: "OperationalError: (1644, "}


def test_done_duplicate_and_outdated_messages_are_acknowledged(
    hops: Hops, consumer: Consumer, store: Store
) -> None:
    store.seed(world(held("d1")))
    old, new = NOW.isoformat(), NOW.replace(hour=13).isoformat()
    hops.publish(FAILED, timestamp=new, properties={"message_id": "m"})
    hops.publish(FAILED, timestamp=new, properties={"message_id": "m"})
    hops.publish(FAILED, timestamp=old, properties={"message_id": "late"})

    assert hops.deliver(consumer, {FAILED: 3}) == {"success": 1, "duplicate": 1, "outdated": 1}

    assert hops.unsettled() == 0
    assert hops.dead_letters() == []


@pytest.mark.parametrize(
    ("event_type", "body", "reason"),
    [
        (FAILED, b"\xff", "body is not JSON"),
        (FAILED, b"{oops", "body is not JSON"),
        (STATUS, b"{}", "deviceId: Field required"),
        ("user.activated", b'{"userId": "u1"}', "unknown event"),
    ],
)
def test_invalid_message_is_a_dead_letter_at_once(
    hops: Hops, consumer: Consumer, event_type: str, body: bytes, reason: str
) -> None:
    hops.publish(event_type, body=body)

    assert hops.deliver(consumer, {event_type: 1}) == {"invalid": 1}

    (letter,) = hops.dead_letters()
    assert reason in letter.headers["x-error"]
    assert letter.headers["x-attempt"] == 0
    assert letter.body == body
    assert hops.unsettled() == 0


@pytest.mark.parametrize("mark", [RAISES, REFUSED])
def test_failing_critical_message_is_a_dead_letter_after_three_retries(
    hops: Hops, consumer: Consumer, mark: str
) -> None:
    hops.publish(FAILED, deviceId=f"{mark}1")
    queue = QUEUES[FAILED]

    for attempt in (1, 2, 3):
        assert hops.deliver(consumer, {FAILED: 1}) == {"retried": 1}
        again = hops.look(FAILED)
        assert again.headers["x-attempt"] == attempt
        assert _last_death(again.headers) == ("expired", queue.retry_name)
    assert hops.deliver(consumer, {FAILED: 1}) == {"dead_lettered": 1}

    (letter,) = hops.dead_letters()
    assert letter.headers["x-error"].startswith(FAILURES[mark])
    assert letter.headers["x-attempt"] == 3
    assert letter.headers["x-source-queue"] == queue.name
    first, last = (
        datetime.fromisoformat(letter.headers[name])
        for name in ("x-first-failed-at", "x-failed-at")
    )
    assert first.tzinfo
    assert first < last
    assert hops.unsettled() == 0


def test_number_of_retries_is_a_setting(hops: Hops, make_consumer: MakeConsumer) -> None:
    hops.publish(FAILED, deviceId=f"{RAISES}1")

    assert hops.deliver(make_consumer(MAX_RETRIES="0"), {FAILED: 1}) == {"dead_lettered": 1}


def test_message_that_succeeds_at_its_second_attempt_is_applied(
    hops: Hops, consumer: Consumer, store: Store
) -> None:
    hops.publish(FAILED, deviceId=f"{REFUSED}1")
    assert hops.deliver(consumer, {FAILED: 1}) == {"retried": 1}

    store.run("DROP TRIGGER refuse_devices")
    try:
        assert hops.deliver(consumer, {FAILED: 1}) == {"success": 1}
    finally:
        store.run(TRIGGER)

    assert store.rows("SELECT id, health FROM devices") == [(f"{REFUSED}1", "failed")]


@pytest.mark.parametrize("mark", [RAISES, REFUSED])
def test_failing_informational_message_is_logged_with_its_payload_after_three_retries(
    hops: Hops,
    consumer: Consumer,
    log_lines: Callable[[], list[dict[str, Any]]],
    capfd: pytest.CaptureFixture[str],
    mark: str,
) -> None:
    id_ = hops.publish(STATUS, deviceId=f"{mark}1", oldStatus="running", newStatus="stopped")

    for _ in range(3):
        assert hops.deliver(consumer, {STATUS: 1}) == {"retried": 1}
    assert hops.deliver(consumer, {STATUS: 1}) == {"error": 1}

    assert hops.unsettled() == 0
    assert hops.dead_letters() == []
    *retried, line = log_lines()
    assert not any("payload" in one for one in retried)
    assert line["level"] == "ERROR"
    assert line["message_id"] == id_
    assert f'"deviceId": "{mark}1"' in line["payload"]
    assert FAILURES[mark] in line["message"]
    assert '"event_type": "device.status_changed", "status": "error"' in capfd.readouterr().out


def test_same_id_with_another_body_is_a_dead_letter(hops: Hops, consumer: Consumer) -> None:
    hops.publish(FAILED, properties={"message_id": "m"})
    hops.publish(FAILED, properties={"message_id": "m"}, deviceId="d2")

    assert hops.deliver(consumer, {FAILED: 2}) == {"success": 1, "dead_lettered": 1}

    (letter,) = hops.dead_letters()
    assert letter.headers["x-error"].startswith("conflicting duplicate")
    assert b"d2" in letter.body


def test_deployed_retry_delay_is_a_minute() -> None:
    assert RETRY_DELAY_MS == 60_000


def _last_death(headers: dict[str, Any]) -> tuple[str, str]:
    death = headers["x-death"][0]
    return death["reason"], death["queue"]
