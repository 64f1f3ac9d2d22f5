"""Bodies whose text is damaged or whose event is in an envelope."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.messaging.body import InvalidBodyError, read_body

REPLACED = "\ufffd"
BARE = {"userId": "u1", "amount": 100}
ENVELOPE = {"eventId": "e", "eventType": "x", "timestamp": "t"}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b'{"reason": "screen \\ud83d dark"}', f"screen {REPLACED} dark"),
        (b'{"reason": "\\udcf1"}', REPLACED),
        (b'{"reason": "\\ud83d\\udcf1"}', "📱"),
        (b'\xef\xbb\xbf{"reason": "dark"}', "dark"),
        (b'{"reason": "signal\xe9"}', f"signal{REPLACED}"),
        (b'{"reason": "\xed\xa0\xbd"}', 3 * REPLACED),
        (b'{"reason": "two\nlines"}', "two\nlines"),
        (b'{"reason": "NUL\x00"}', "NUL\x00"),
    ],
)
def test_damaged_text_is_repaired(raw: bytes, reason: str) -> None:
    assert read_body(raw) == {"reason": reason}


def test_damaged_text_is_repaired_at_any_depth() -> None:
    assert read_body(b'{"a\\ud800": [{"b": "\\udfff"}, 1, null]}') == {
        f"a{REPLACED}": [{"b": REPLACED}, 1, None]
    }


def escaped(raw: bytes) -> bytes:
    """Return a JSON text with these bytes in it: only quote and backslash need an escape."""
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@given(raw=st.binary(max_size=40))
def test_any_bytes_in_a_text_are_read(raw: bytes) -> None:
    assert read_body(b'{"reason": ' + escaped(raw) + b"}") == {
        "reason": raw.decode("utf-8", "replace")
    }


@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_that_javascript_writes_is_read(text: str) -> None:
    found = read_body(json.dumps({"reason": text}).encode())["reason"]

    found.encode()
    assert len(found) <= len(text)


@pytest.mark.parametrize(
    "body",
    [
        {**ENVELOPE, "version": "1.0", "payload": BARE},
        {"specversion": "1.0", "id": "e", "type": "x", "time": "t", "source": "/s", "data": BARE},
        {"pattern": "x", "data": {**BARE, "eventId": "e", "timestamp": "t"}},
        {"pattern": "x", "data": {**ENVELOPE, "payload": BARE}},
        {**ENVELOPE, "payload": {**BARE, "eventId": None, "timestamp": None}},
    ],
)
def test_envelope_is_removed_and_its_id_and_time_are_kept(body: dict[str, Any]) -> None:
    assert read_body(json.dumps(body).encode()) == {**BARE, "eventId": "e", "timestamp": "t"}


def test_event_in_an_envelope_keeps_its_own_id_time_and_version() -> None:
    inner = {**BARE, "eventId": "inner", "timestamp": "t", "version": 3}
    body = {"eventId": "outer", "eventType": "x", "version": "1.0", "payload": inner}

    assert read_body(json.dumps(body).encode()) == inner


@pytest.mark.parametrize(
    "body",
    [
        {**BARE, "data": {"userId": "other"}, "pattern": "x"},
        {"deviceId": "d1", "eventType": "device.created", "payload": {}},
        {"eventType": "x", "payload": "text"},
        {"specversion": "1.0", "data": None},
        {"data": BARE},
    ],
)
def test_body_that_is_no_envelope_is_unchanged(body: dict[str, Any]) -> None:
    assert read_body(json.dumps(body).encode()) == body


@pytest.mark.parametrize(
    "raw",
    [
        b'{"reason": "half',
        b'{"reason": "\\ud83d',
        b"{'reason': 'x'}",
        b'{"reason": "\\x41"}',
        b'{"reason": "\n", "amount": NaN}',
        b'{"reason": "\n", "amount": Infinity}',
        b'{"amount": 1}{"amount": 2}',
        '{"reason": "x"}'.encode("utf-16"),
        b'{"reason": "\n", "x": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    ],
)
def test_structure_is_not_repaired(raw: bytes) -> None:
    with pytest.raises(InvalidBodyError, match=r"^body is not JSON: "):
        read_body(raw)
