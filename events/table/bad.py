"""What can be wrong with, or unusual in, an event of Amazon MQ."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from pika import BasicProperties

from events.table.message import (
    PERSISTENT,
    QUEUE_OF,
    Delivery,
    Sample,
    delivery,
    sample,
    usual_properties,
)

_FAILED: Final = {"deviceId": "device-005", "reason": "Kernel panic"}
_LIKE_NO_EVENT: Final = b'{"deviceId": "device-005"}'

# What the second attempt of a message may carry. Texts arrive as signed bytes, nested ones too.
_RETURNED: Final = BasicProperties(
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
        "The body breaks off: dead letter.",
        delivery("device.failed", b'{"deviceId": "device-005", "reason": '),
        dead_letters=1,
    ),
    sample(
        "wrong-type",
        "The amount is a truth value, the days are a word: dead letter that names both fields.",
        delivery(
            "billing.overdue",
            {"userId": "user-123", "overdueAmount": True, "overdueDays": "seven"},
        ),
        dead_letters=1,
    ),
    sample(
        "missing-field",
        "`reason` is missing: dead letter that names it.",
        delivery("device.failed", {"deviceId": "device-005"}),
        dead_letters=1,
    ),
    sample(
        "binary-body",
        "The body is a gzip stream and no text: dead letter.",
        delivery(
            "device.failed",
            bytes.fromhex("1f8b0800000000000003abae050043bfa6a302000000"),
            BasicProperties(content_type="application/json", content_encoding="gzip"),
        ),
        dead_letters=1,
    ),
    sample(
        "unknown-queue",
        "A queue that belongs to no event: dead letter.",
        Delivery(
            "scheduler.device-exploded",
            _LIKE_NO_EVENT,
            usual_properties("device.exploded", _LIKE_NO_EVENT),
        ),
        dead_letters=1,
    ),
    sample(
        "null-properties",
        "The publisher set nothing, all properties are null: done, known by the hash of its body.",
        delivery("device.failed", _FAILED, BasicProperties()),
    ),
    sample(
        "header-bytes",
        "A second attempt with every property set: header texts as signed bytes, nested ones too, "
        "one not UTF-8; a Java date. Done, but sent too long ago to release anything.",
        delivery("device.failed", {"deviceId": "device-006", "reason": "Disk full"}, _RETURNED),
    ),
    sample(
        "two-queues",
        "Messages of two queues in one invocation: both done.",
        delivery("device.failed", {"deviceId": "device-007", "reason": "Overheated"}),
        delivery("device.maintenance", {"deviceId": "device-008", "maintenanceType": "更换电池"}),
    ),
    Sample(
        name="empty-batch",
        meaning="A queue without messages: nothing to do.",
        queues=(QUEUE_OF["device.failed"],),
        deliveries=(),
    ),
)
