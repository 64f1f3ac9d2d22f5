"""Headers that pika itself cannot decode."""

from __future__ import annotations

import json
import struct
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika import BasicProperties, data

from local.event_source_mapping.record import record_json
from scheduler.messaging.message import Message
from scheduler.messaging.odd_headers import accept_odd_headers
from scheduler.messaging.record import decode

MILLISECONDS = 1_764_181_979_000
LAST_SECOND_OF_9999 = 253_402_300_799


def table(*fields: tuple[bytes, bytes]) -> bytes:
    encoded = b"".join(bytes([len(name)]) + name + value for name, value in fields)
    return struct.pack(">I", len(encoded)) + encoded


def time(value: int) -> bytes:
    return b"T" + struct.pack(">Q", value)


def nested(depth: int, *, array: bool) -> bytes:
    """Return a value within so many tables or arrays."""
    value = b"t\x01"
    for _ in range(depth):
        content = struct.pack(">I", len(value)) + value
        value = b"A" + content if array else b"F" + table((b"k", value))
    return value


@pytest.mark.parametrize("array", [True, False])
@pytest.mark.parametrize("depth", [17, 400, 3000])
def test_header_that_is_nested_too_deep_is_cut(depth: int, *, array: bool) -> None:
    """Tables of 1,000 levels exceed Python's recursion limit."""
    accept_odd_headers()
    encoded = table((b"deep", nested(depth, array=array)), (b"after", b"t\x01"))

    for _ in range(2):
        headers, read = data.decode_table(encoded, 0)

        assert read == len(encoded)
        assert "(nested too deep)" in str(headers["deep"])
        assert headers["after"] is True


def test_header_that_is_nested_less_deep_is_kept() -> None:
    accept_odd_headers()
    sixteen, four = nested(16, array=False), nested(4, array=True)

    headers, _ = data.decode_table(table((b"one", sixteen), (b"other", four)), 0)

    assert "(nested too deep)" not in str(headers)
    assert headers["other"] == [[[[True]]]]


@pytest.mark.parametrize("value", [MILLISECONDS, (1 << 63) - 1])
def test_time_beyond_the_year_9999_is_kept_as_an_integer(value: int) -> None:
    accept_odd_headers()
    inner = b"F" + table((b"deep", time(value)), (b"after", b"t\x01"))

    headers, _ = data.decode_table(table((b"far", time(value)), (b"in", inner)), 0)

    assert headers == {"far": value, "in": {"deep": value, "after": True}}
    data.encode_table([], headers)  # can be published again


def test_other_times_are_still_times() -> None:
    accept_odd_headers()

    headers, _ = data.decode_table(table((b"t", time(MILLISECONDS // 1000))), 0)

    assert headers == {"t": datetime.fromtimestamp(MILLISECONDS // 1000, UTC)}


@given(st.integers(min_value=0, max_value=(1 << 64) - 1))
def test_any_time_can_be_decoded_and_published_again(value: int) -> None:
    accept_odd_headers()
    array = time(value) + b"t\x01"
    encoded = table(
        (b"at", time(value)),
        (b"in", b"F" + table((b"deep", time(value)))),
        (b"list", b"A" + struct.pack(">I", len(array)) + array),
        (b"after", b"t\x01"),
    )

    headers, read = data.decode_table(encoded, 0)

    at = headers["at"]
    assert read == len(encoded)
    assert headers == {"at": at, "in": {"deep": at}, "list": [at, True], "after": True}
    seconds = int(at.timestamp()) if isinstance(at, datetime) else at
    assert seconds % (1 << 64) == value
    assert isinstance(at, datetime) == (value <= LAST_SECOND_OF_9999)
    assert published_again(headers) == headers


@given(st.integers(min_value=0, max_value=(1 << 64) - 1))
def test_any_time_survives_the_record_of_an_event(value: int) -> None:
    accept_odd_headers()
    headers, _ = data.decode_table(table((b"at", time(value))), 0)

    record = json.loads(record_json(BasicProperties(headers=headers), b"{}", redelivered=False))
    ((_, (message,)),) = decode({"rmqMessagesByQueue": {"scheduler.device-failed::/": [record]}})

    assert isinstance(message, Message)
    kept = dict(message.headers)
    assert list(kept) == ["at"]
    assert published_again(kept) == kept


def published_again(headers: dict[str, Any]) -> dict[str, Any]:
    """Return headers after pika has encoded and decoded them."""
    pieces: list[bytes] = []
    data.encode_table(pieces, headers)
    decoded, _ = data.decode_table(b"".join(pieces), 0)
    return dict(decoded)
