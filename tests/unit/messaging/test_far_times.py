"""Header times that pika itself cannot decode."""

from __future__ import annotations

import struct
from datetime import UTC, datetime

import pytest
from pika import data

from scheduler.messaging.far_times import keep_far_times

MILLISECONDS = 1_764_181_979_000


def table(*fields: tuple[bytes, bytes]) -> bytes:
    encoded = b"".join(bytes([len(name)]) + name + value for name, value in fields)
    return struct.pack(">I", len(encoded)) + encoded


def time(value: int) -> bytes:
    return b"T" + struct.pack(">Q", value)


@pytest.mark.parametrize("value", [MILLISECONDS, (1 << 63) - 1])
def test_time_beyond_the_year_9999_is_kept_as_an_integer(value: int) -> None:
    keep_far_times()
    inner = b"F" + table((b"deep", time(value)), (b"after", b"t\x01"))

    headers, _ = data.decode_table(table((b"far", time(value)), (b"in", inner)), 0)

    assert headers == {"far": value, "in": {"deep": value, "after": True}}
    data.encode_table([], headers)  # can be published again


def test_other_times_are_still_times() -> None:
    keep_far_times()

    headers, _ = data.decode_table(table((b"t", time(MILLISECONDS // 1000))), 0)

    assert headers == {"t": datetime.fromtimestamp(MILLISECONDS // 1000, UTC)}
