"""The key that assigns an event to one of its shards."""

from __future__ import annotations

import pytest

from operations.publishing import shard_key
from scheduler.messaging.topology import SHARD_KEY_HEADER


@pytest.mark.parametrize(
    ("event_type", "body", "key"),
    [
        ("device.failed", b'{"deviceId": "d1", "userId": "u1"}', "d1"),
        ("user.suspended", b'{"userId": "u1"}', "u1"),
        ("billing.overdue", b'{"userId": "u1", "deviceId": "d1"}', "u1"),
        ("user.suspended", rb'{"userId": "\ud800"}', "?"),
    ],
)
def test_shard_key_is_the_device_or_the_user(event_type: str, body: bytes, key: str) -> None:
    assert shard_key(event_type, body) == {"headers": {SHARD_KEY_HEADER: key}}


@pytest.mark.parametrize("body", [b"{}", b"[]", b'"x"', b"7", b"{", b"\xff", b'{"userId": 7}'])
def test_body_without_device_or_user_has_no_shard_key(body: bytes) -> None:
    assert shard_key("user.suspended", body) == {}
