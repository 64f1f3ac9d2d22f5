"""Bodies with damaged or overlong text are repaired and applied."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.integration.pipeline.stored import apply, reasons, released, row
from tests.support.events import message
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.support.functions import Functions
    from tests.support.queues import Queues
    from tests.support.store import Store

REPLACED: Final = "\ufffd"
FEW = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.mark.parametrize(
    ("event_type", "raw", "reason"),
    [
        (
            "device.failed",
            b'{"deviceId": "d1", "reason": "screen \\ud83d dark"}',
            f"设备故障：screen {REPLACED} dark",
        ),
        ("device.failed", b'\xef\xbb\xbf{"deviceId": "d1", "reason": "dark"}', "设备故障：dark"),
        (
            "user.suspended",
            b'{"userId": "u1", "reason": "signal\xe9"}',
            f"账户已暂停：signal{REPLACED}",
        ),
        (
            "device.failed",
            b'{"deviceId": "d1", "reason": "' + b"x" * 5000 + b'"}',
            "设备故障：" + "x" * 299 + "…",
        ),
    ],
    ids=["half an emoji", "byte order mark", "Latin-1", "long reason"],
)
def test_damaged_text_is_repaired_and_the_event_applied(
    event_type: str, raw: bytes, reason: str, store: Store, connected: Functions, queues: Queues
) -> None:
    store.seed(world(held("d1")))

    apply(connected, event_type, raw)

    assert reasons(store) == [reason]
    assert queues.take() == []


def test_name_beyond_the_limit_is_cut(store: Store, connected: Functions, queues: Queues) -> None:
    body = {"deviceId": "device-900", "name": "n" * 129, "cpuCores": 2, "memoryMB": 2048}

    apply(connected, "device.created", json.dumps(body).encode())

    found = row(store, "devices", "device-900")
    assert (found["name"], found["health"], found["cpu_cores"]) == ("n" * 128, "running", 2)
    assert queues.take() == []


def as_json_text(raw: bytes) -> bytes:
    """Return a JSON text with these bytes in it: only quote and backslash need an escape."""
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@FEW
@given(raw=st.binary(max_size=400) | st.text(max_size=400).map(str.encode))
def test_any_bytes_in_a_text_are_applied(
    store: Store, connected: Functions, queues: Queues, raw: bytes
) -> None:
    store.clear()
    store.seed(world(held("d1")))
    text = as_json_text(raw)

    sent = [
        message("device.failed", body=b'{"deviceId": "d1", "reason": ' + text + b"}"),
        message("user.suspended", body=b'{"userId": "u1", "reason": ' + text + b"}"),
        message("device.created", body=b'{"deviceId": "d2", "name": ' + text + b"}"),
        message("device.maintenance", body=b'{"deviceId": "d2", "maintenanceType": ' + text + b"}"),
    ]

    assert connected.handle(*sent) == {"success": 4}
    assert queues.take() == []
    assert released(store) == ["d1"]
