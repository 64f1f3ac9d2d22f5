"""The key that assigns an event to one of its shards."""

from __future__ import annotations

import json

import pytest

from events.bodies import SMALLEST
from operations.publishing import shard_key
from scheduler.messaging.topology import SHARD_KEY_HEADER
from tests.support.events import EVENT_TYPES
from tests.unit.messaging.reading import event


@pytest.mark.parametrize(
    ("event_type", "body", "key"),
    [
        ("device.failed", b'{"deviceId": "d1", "userId": "u1"}', "d1"),
        ("user.suspended", b'{"userId": "u1"}', "u1"),
        ("billing.overdue", b'{"userId": "u1", "deviceId": "d1"}', "u1"),
        ("user.suspended", rb'{"userId": "\ud800"}', "\ufffd"),
        ("user.suspended", b'{"userId": "u1", "reason": "\xff"}', "u1"),
        ("user.suspended", b'\xef\xbb\xbf{"userId": "u1", "reason": "two\nlines"}', "u1"),
        ("user.suspended", b'{"pattern": "x", "data": {"userId": "u1"}}', "u1"),
        ("user.suspended", b'{"eventType": "x", "payload": {"userId": "u1"}}', "u1"),
        (
            "device.failed",
            b'{"eventType": "x", "userId": "u1", "payload": {"deviceId": "d1"}}',
            "d1",
        ),
        ("device.failed", b'{"specversion": "1.0", "data": {"deviceId": "d1"}}', "d1"),
    ],
)
def test_shard_key_is_the_device_or_the_user(event_type: str, body: bytes, key: str) -> None:
    assert shard_key(event_type, body) == {"headers": {SHARD_KEY_HEADER: key}}


@pytest.mark.parametrize("event_type", EVENT_TYPES)
@pytest.mark.parametrize(
    "envelope",
    [
        "%s",
        '{"eventType": "x", "version": "1.0", "payload": %s}',
        '{"pattern": "x", "data": %s}',
        '{"specversion": "1.0", "data": %s}',
        '{"pattern": "x", "data": {"eventType": "x", "payload": %s}}',
    ],
)
def test_shard_key_is_the_subject_that_the_consumer_reads(event_type: str, envelope: str) -> None:
    body = (envelope % json.dumps(SMALLEST[event_type])).encode()

    subject_id = event(event_type, body=body).subject_id

    assert shard_key(event_type, body) == {"headers": {SHARD_KEY_HEADER: subject_id}}


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"x"', b"7", b"{", b"\xff", b'{"userId": 7}'])
def test_body_without_device_or_user_has_no_shard_key(body: bytes) -> None:
    assert shard_key("user.suspended", body) == {}
