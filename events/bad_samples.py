"""Samples of invalid or unusual Amazon MQ events."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pika import BasicProperties

from events.samples import (
    PERSISTENT,
    QUEUE_OF,
    Sample,
    SampleMessage,
    message,
    sample,
    usual_properties,
)

_FAILED: Final = {"deviceId": "device-005", "reason": "Kernel panic"}
_DAMAGED_TEXT: Final = (
    b'{"pattern": "device.failed", "data": {"deviceId": "device-005", "reason": "dark \\ud83d"}}'
)
_UNKNOWN_EVENT: Final = b'{"deviceId": "device-005"}'

# All properties set, as on a second attempt. Header texts arrive as signed bytes, nested ones too.
_SECOND_ATTEMPT: Final = BasicProperties(
    content_type="application/json",
    content_encoding="utf-8",
    headers={
        "x-attempt": 1,
        "x-operator": "运维",
        "x-checksum": b"\xff\x00\x80\x7f",
        "x-route": {"region": "cn-north-1", "hops": ["gateway", {"zone": "乙"}]},
        "x-first-death-queue": "scheduler.device-failed.retry",
        "x-death": [
            {
                "count": 1,
                "exchange": "",
                "queue": "scheduler.device-failed.retry",
                "reason": "expired",
                "routing-keys": ["scheduler.device-failed.retry"],
                "time": datetime(2025, 11, 3, 0, 31, 7, tzinfo=UTC),
            }
        ],
    },
    delivery_mode=PERSISTENT,
    priority=5,
    correlation_id="9b0f5c1e-3f0c-4b5b-8f0e-0d3a4e1c2b7a",
    reply_to="device-service.replies",
    expiration="60000",
    message_id="4c1d2e57-6a52-4d53-9d0f-7f1e3c5b9a10",
    timestamp=int(datetime(2025, 11, 3, 0, 30, 7, tzinfo=UTC).timestamp()),
    type="device.failed",
    user_id="device-service",
    app_id="device-service",
)

BAD: Final = (
    sample(
        "not-json",
        "The body is incomplete JSON: dead letter.",
        message("device.failed", b'{"deviceId": "device-005", "reason": '),
        dead_letters=1,
    ),
    sample(
        "wrong-type",
        "The amount is a boolean, the days are a string: dead letter; the error names both fields.",
        message(
            "billing.overdue",
            {"userId": "user-123", "overdueAmount": True, "overdueDays": "seven"},
        ),
        dead_letters=1,
    ),
    sample(
        "missing-field",
        "`reason` is missing: dead letter; the error names it.",
        message("device.failed", {"deviceId": "device-005"}),
        dead_letters=1,
    ),
    sample(
        "binary-body",
        "The body is gzip data, not JSON: dead letter.",
        message(
            "device.failed",
            bytes.fromhex("1f8b0800000000000003abae050043bfa6a302000000"),
            BasicProperties(content_type="application/json", content_encoding="gzip"),
        ),
        dead_letters=1,
    ),
    sample(
        "unknown-queue",
        "The queue belongs to no event: dead letter.",
        SampleMessage(
            "scheduler.device-exploded",
            _UNKNOWN_EVENT,
            usual_properties("device.exploded", _UNKNOWN_EVENT),
        ),
        dead_letters=1,
    ),
    sample(
        "null-properties",
        "All properties are null: success; the function gives the message an id, and warns.",
        message("device.failed", _FAILED, BasicProperties()),
    ),
    sample(
        "header-bytes",
        "A second attempt with all properties set; header texts are signed bytes, also nested ones,"
        " and one is not UTF-8; a Java date. Success.",
        message(
            "device.failed", {"deviceId": "device-006", "reason": "Disk full"}, _SECOND_ATTEMPT
        ),
    ),
    sample(
        "damaged-text",
        "Half an emoji, in the envelope of NestJS: it is replaced. Success.",
        message("device.failed", _DAMAGED_TEXT),
    ),
    sample(
        "two-queues",
        "Messages of two queues in one invocation: both succeed.",
        message("device.failed", {"deviceId": "device-007", "reason": "Overheated"}),
        message("device.maintenance", {"deviceId": "device-008", "maintenanceType": "更换电池"}),
    ),
    Sample(
        name="empty-batch",
        meaning="A queue without messages: nothing happens.",
        queues=(QUEUE_OF["device.failed"],),
        messages=(),
    ),
)
