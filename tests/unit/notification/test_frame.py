"""The frame a client receives."""

import json
from datetime import UTC, datetime

import pytest

from scheduler.notification.frame import frame

AT = datetime(2026, 3, 1, 12, 0, 0, 250_000)  # noqa: DTZ001 - as the database gives it


@pytest.mark.parametrize("created_at", [AT, AT.replace(tzinfo=UTC)])
def test_a_frame_has_the_fields_of_the_contract(created_at: datetime) -> None:
    sent = frame(
        id_="n-1",
        type_="device_released",
        title="设备已释放",
        message="设备故障：Docker container crashed",
        data='{"deviceId": "d1", "used": 60}',
        created_at=created_at,
    )

    assert json.loads(sent) == {
        "type": "device_released",
        "id": "n-1",
        "title": "设备已释放",
        "message": "设备故障：Docker container crashed",
        "data": {"deviceId": "d1", "used": 60},
        "createdAt": "2026-03-01T12:00:00.250000+00:00",
    }
    assert "设备已释放".encode() in sent
