"""Which timestamps the contracts accept, and what stands for a missing one."""

from datetime import UTC, datetime
from typing import Any

import pytest

from events.bodies import SMALLEST
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse
from tests.support.events import encoded
from tests.support.world import MINUTE, NOW, SECOND
from tests.unit.messaging.reading import contract_of, event, refusal


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-20T12:00:00Z", datetime(2026, 2, 20, 12, tzinfo=UTC)),
        ("2026-02-20T12:00:00+08:00", datetime(2026, 2, 20, 4, tzinfo=UTC)),
        ("2026-02-20T12:00:00.123456789Z", datetime(2026, 2, 20, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2026-02-20T12:00:00+08", datetime(2026, 2, 20, 4, tzinfo=UTC)),
        ("2026-02-20 12:00:00.5-03", datetime(2026, 2, 20, 15, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-02-20T12:00:00+0830", datetime(2026, 2, 20, 3, 30, tzinfo=UTC)),
        ("2016-12-31T23:59:60Z", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2017-01-01T07:59:60.9+08", datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-03-01T12:05:00Z", NOW + 5 * MINUTE),
        ("2026-03-01T12:05:00.001Z", NOW),
        ("2026-03-01T20:00:00Z", NOW),
        ("2026-03-01T20:00:00+08:00", NOW),
        ("9999-12-31T23:59:59-12:00", NOW),
        ("9999-12-31T23:59:59Z", NOW),
        ("10000-01-01T00:00:00Z", NOW),
        ("58128-02-29T04:00:00.5Z", NOW),
        ("+058129-09-14T04:00:00.000Z", NOW),
        ("+275760-09-13T00:00:00.000Z", NOW),
    ],
)
def test_iso_8601_timestamps_with_a_zone_are_limited_to_the_receipt(
    text: str, moment: datetime
) -> None:
    assert event("device.failed", timestamp=text).occurred_at == moment


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "+002026-02-20T12:00:00Z",
        "-000001-01-01T00:00:00Z",
        "58129-13-14T04:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1999-12-31T23:59:59Z",
        "2026-02-20T12:00:00",
        "2026-02-20",
        "2026-02-20T12:00:61Z",
        "2026-02-20T12:60:00Z",
        "2026-02-20T12:00:00+8",
        "2026-02-20T12:00:00 UTC",
        "2026-02-30T00:00:00Z",
        "2026-02-20T12:00:00+99:00",
        "2026-02-20T25:00:00Z",
        "yesterday",
        "",
        1_700_000_000,
        1.7e9,
        "1700000000",
        "1700000000.5",
        False,
        [],
        {},
    ],
)
def test_other_timestamps_are_refused(text: object) -> None:
    assert refusal("device.failed", timestamp=text).startswith("timestamp: ")


@pytest.mark.parametrize(
    ("sent_at", "occurred_at"),
    [
        (NOW - MINUTE, NOW - MINUTE),
        (NOW + 5 * MINUTE, NOW + 5 * MINUTE),
        (NOW + 5 * MINUTE + SECOND, NOW),
        (datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC), NOW),
        (datetime(9999, 12, 31, tzinfo=UTC), NOW),
        (None, NOW),
    ],
)
@pytest.mark.parametrize("absent", [{}, {"timestamp": None}])
def test_missing_timestamp_is_that_of_the_message_or_the_time_of_receipt(
    absent: dict[str, Any], sent_at: datetime | None, occurred_at: datetime
) -> None:
    sent = Message("q", encoded(SMALLEST["device.failed"] | absent), {}, sent_at)

    assert parse(sent, contract_of("device.failed"), NOW).event.occurred_at == occurred_at
