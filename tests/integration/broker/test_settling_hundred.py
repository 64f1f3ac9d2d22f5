"""A batch of a hundred messages: one invalid, one that always fails, one that may fail."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.integration.broker.marked import RAISES, REFUSED
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.pipeline.consumer import Consumer
    from tests.integration.broker.hops import Hops
    from tests.support.store import Store

FAILED = "device.failed"
STATUS = "device.status_changed"


def test_hundred_messages_with_three_failures_apply_the_other_ninety_seven(
    hops: Hops, consumer: Consumer, store: Store, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    devices = [f"d{number}" for number in range(97)]
    store.seed(world(*(held(device, by=f"u-{device}") for device in devices)))
    for number, device in enumerate(devices):
        hops.publish(FAILED if number < 48 else STATUS, deviceId=device)
        if number == 20:
            hops.publish(FAILED, body=b'{"deviceId": 7}', properties={"message_id": "malformed"})
        if number == 30:
            hops.publish(FAILED, deviceId=f"{REFUSED}1", properties={"message_id": "critical"})
        if number == 70:
            hops.publish(STATUS, deviceId=f"{RAISES}1", properties={"message_id": "informational"})

    totals = hops.deliver(consumer, {FAILED: 50, STATUS: 50})

    assert totals == {"success": 97, "invalid": 1, "retried": 2}
    assert store.rows("SELECT status, COUNT(*) FROM allocations GROUP BY status") == [
        ("RELEASED", 97)
    ]
    assert store.rows("SELECT COUNT(*), COUNT(DISTINCT user_id) FROM notifications") == [(97, 97)]
    (malformed,) = hops.dead_letters()
    assert malformed.properties.message_id == "malformed"
    settled: Counter[str] = Counter()
    for _ in range(3):
        settled.update(hops.deliver(consumer, {FAILED: 1, STATUS: 1}))

    assert settled == {"retried": 4, "dead_lettered": 1, "error": 1}
    (error,) = (line for line in log_lines() if line["outcome"] == "error")
    assert error["message_id"] == "informational"
    (critical,) = hops.dead_letters()
    assert critical.properties.message_id == "critical"
    assert critical.headers["x-attempt"] == 3
    assert hops.unsettled() == 0
    assert store.rows("SELECT COUNT(*) FROM notifications") == [(97,)]
