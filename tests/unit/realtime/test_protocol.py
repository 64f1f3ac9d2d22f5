"""The messages of the WebSocket: frames to the client, positions from it."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.ids import uuid7
from scheduler.realtime.protocol import OVERLAP, InvalidSinceError, Since, first_id, frame

MOMENT = datetime(2025, 3, 1, 12, 0, 0, 250_000, tzinfo=UTC)
MOMENTS = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001 - the zone comes from `timezones`
    timezones=st.timezones(),
    allow_imaginary=False,
)


def test_a_frame_has_the_documented_fields() -> None:
    sent = frame(
        id_="n-1",
        type_="device_released",
        title="设备已释放",
        message="设备故障：Docker container crashed",
        data='{"deviceId": "d1", "used": 60}',
        created_at=MOMENT,
    )

    assert json.loads(sent) == {
        "type": "device_released",
        "id": "n-1",
        "title": "设备已释放",
        "message": "设备故障：Docker container crashed",
        "data": {"deviceId": "d1", "used": 60},
        "createdAt": "2025-03-01T12:00:00.250000+00:00",
    }
    assert "设备已释放".encode() in sent


def test_an_id_is_a_position_with_overlap() -> None:
    id_ = first_id(MOMENT)[:-1] + "7"

    since = Since.parse(id_.upper())

    assert since == Since(first_id(MOMENT - OVERLAP), seen=id_)


@pytest.mark.parametrize(
    "text",
    [
        "2025-03-01T12:00:00.250Z",
        "2025-03-01T12:00:00.250+00:00",
        "2025-03-01T12:00:00.250 00:00",
        "2025-03-01 20:00:00.25+08:00",
        "20250301T120000.250000Z",
    ],
)
def test_iso_8601_time_is_a_position_with_overlap(text: str) -> None:
    assert Since.parse(text) == Since(first_id(MOMENT - OVERLAP))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2025-03-01T12:00:00",
        "2025-03-01",
        "1740830400",
        "6e0b5d1c-9d0e-4a58-8a0c-6a0e2f6f7a11",  # version 4
        "ffffffff-ffff-7fff-bfff-ffffffffffff",  # after the year 9999
        "9999-12-31T23:59:59-12:00",
        "票",
    ],
)
def test_anything_else_is_invalid(text: str) -> None:
    with pytest.raises(InvalidSinceError):
        Since.parse(text)


@given(st.text())
def test_no_text_raises_another_error(text: str) -> None:
    with suppress(InvalidSinceError):
        Since.parse(text)


@given(MOMENTS)
def test_every_time_with_a_zone_is_accepted(moment: datetime) -> None:
    since = Since.parse(moment.isoformat())

    assert UUID(since.first).version == 7


def test_a_new_id_is_not_smaller_than_the_first_id_of_its_time() -> None:
    before = datetime.now(UTC)
    id_ = uuid7()
    after = datetime.now(UTC) + timedelta(milliseconds=1)

    assert first_id(before) <= id_ < first_id(after)


def test_exactly_has_no_overlap() -> None:
    since = Since.exactly(MOMENT.astimezone(timezone(timedelta(hours=8))))

    assert since == Since(first_id(MOMENT))
