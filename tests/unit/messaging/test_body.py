"""Bodies whose text is damaged or whose event is in an envelope."""

import gzip
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.messaging.body import InvalidBodyError, read_body

REPLACED = "\ufffd"
BARE = {"userId": "u1", "amount": 100}
ENVELOPE = {"eventId": "e", "eventType": "x", "timestamp": "t"}


def read(raw: bytes, subject: str = "userId") -> dict[str, Any]:
    """Return the event in a body about a user."""
    return read_body(raw, subject)


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
    assert read(raw) == {"reason": reason}


def test_damaged_text_is_repaired_at_any_depth() -> None:
    assert read(b'{"a\\ud800": [{"b": "\\udfff"}, 1, null]}') == {
        f"a{REPLACED}": [{"b": REPLACED}, 1, None]
    }


def escaped(raw: bytes) -> bytes:
    """Return a JSON text with these bytes in it: only quote and backslash need an escape."""
    return b'"' + raw.replace(b"\\", b"\\\\").replace(b'"', b'\\"') + b'"'


@given(raw=st.binary(max_size=40))
def test_any_bytes_in_a_text_are_read(raw: bytes) -> None:
    assert read(b'{"reason": ' + escaped(raw) + b"}") == {"reason": raw.decode("utf-8", "replace")}


@given(text=st.text(st.characters(exclude_categories=()), max_size=40))
def test_any_text_that_javascript_writes_is_read(text: str) -> None:
    found = read(json.dumps({"reason": text}).encode())["reason"]

    found.encode()
    assert len(found) <= len(text)


@pytest.mark.parametrize(
    "body",
    [
        {**ENVELOPE, "version": "1.0", "payload": BARE},
        {"specversion": "1.0", "id": "e", "type": "x", "time": "t", "data": BARE},
        {"pattern": "x", "data": {**BARE, "eventId": "e", "timestamp": "t"}},
        {"pattern": "x", "data": {**ENVELOPE, "payload": BARE}},
        {**ENVELOPE, "payload": {**BARE, "eventId": None, "timestamp": None}},
        {**ENVELOPE, "deviceId": "of whoever did it", "payload": BARE},
        {**ENVELOPE, "version": "1.0", "userId": "u1", "payload": BARE},
        {**ENVELOPE, "version": 1, "userId": "u1", "amount": 7, "payload": BARE},
        {"pattern": "x", "userId": "u1", "data": {**BARE, "eventId": "e", "timestamp": "t"}},
    ],
)
def test_envelope_is_removed_and_its_id_and_time_are_kept(body: dict[str, Any]) -> None:
    assert read(json.dumps(body).encode()) == {**BARE, "eventId": "e", "timestamp": "t"}


@pytest.mark.parametrize(
    ("id_", "source", "event_id"),
    [
        ("1", "/accounts", "/accounts|1"),
        ("1", "/fraud", "/fraud|1"),
        ("1", None, "1"),
        ("1", 5, "1"),
        (" ", "/accounts", " "),
        (7, "/accounts", 7),
    ],
)
def test_id_of_a_cloud_event_counts_within_its_source(
    id_: object, source: object, event_id: object
) -> None:
    """Two services that number their events both publish an event 1."""
    body = {"specversion": "1.0", "id": id_, "source": source, "data": BARE}

    assert read(json.dumps(body).encode()) == {**BARE, "eventId": event_id}


def test_event_in_an_envelope_keeps_its_own_id_time_and_version() -> None:
    inner = {**BARE, "eventId": "inner", "timestamp": "t", "version": 3}
    body = {"eventId": "outer", "eventType": "x", "version": "1.0", "payload": inner}

    assert read(json.dumps(body).encode()) == inner


@pytest.mark.parametrize(
    "body",
    [
        {**BARE, "data": {"userId": "u1"}, "pattern": "x"},
        {**BARE, "eventType": "user.suspended", "payload": {}},
        {**BARE, "eventType": "x", "payload": {"deviceId": "d1"}},
        {**BARE, "eventType": "x", "payload": "text"},
        {"data": BARE},
        {"eventType": "x"},
    ],
)
def test_body_that_is_not_an_envelope_is_unchanged(body: dict[str, Any]) -> None:
    assert read(json.dumps(body).encode()) == body


def test_version_of_an_envelope_that_only_repeats_the_subject_is_ignored() -> None:
    body = {**ENVELOPE, "version": "1.0", "userId": "u1", "payload": {"userId": "u1"}}

    found = read(json.dumps(body).encode())

    assert (found["userId"], found["eventId"], "version" in found) == ("u1", "e", False)


def test_event_about_a_device_may_have_fields_named_like_an_envelope() -> None:
    body = {"deviceId": "d1", "eventType": "device.created", "payload": {"userId": "u1"}}

    assert read(json.dumps(body).encode(), "deviceId") == body


def refusal(raw: bytes) -> str:
    with pytest.raises(InvalidBodyError) as caught:
        read(raw)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        ({"eventType": "x", "payload": '{"userId": "u1"}'}, "payload is not a JSON object but a"),
        ({"pattern": "x", "data": [BARE]}, "data is not a JSON object but a list"),
        ({"specversion": "1.0", "data": None}, "data is not a JSON object but a NoneType"),
        ({"specversion": "1.0", "data_base64": "e30="}, "data_base64 is not a JSON object"),
        (
            {"userId": "admin", "eventType": "user.deleted", "payload": {"userId": "u1"}},
            "userId: payload has another one; publish one of them",
        ),
    ],
)
def test_envelope_whose_event_is_unclear_is_refused(body: dict[str, Any], why: str) -> None:
    """With the wrong one of two users, another account would be deleted."""
    assert refusal(json.dumps(body).encode()).startswith(why)


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b'{"userId": "u1", "userId": "u2"}', "userId"),
        (b'{"userId": "u1", "user\\u0049d": "u2"}', "userId"),
        (b'{"userId": "u1", "newQuota": {"maxDevices": 5, "maxDevices": 1}}', "maxDevices"),
        (b'{"pattern": "x", "data": {"userId": "u1"}, "data": {"userId": "u2"}}', "data"),
        (b'{"userId": "u1", "reason": "a\nb", "reason": "c"}', "reason"),
        (b'{"a\\ud800": 1, "a\\ud800": 2}', "a?"),
        (b'{"' + b"x" * 500 + b'": 1, "' + b"x" * 500 + b'": 2}', "x" * 64),
    ],
)
def test_name_with_two_values_is_refused(raw: bytes, name: str) -> None:
    """A parser may take the first or the last: another user might be deleted."""
    assert refusal(raw) == f"{name}: occurs twice, with different values; publish one of them"


@pytest.mark.parametrize("raw", [b'{"a": [1], "a": [1]}', b'{"a": "\n", "a": "\n"}'])
def test_name_that_repeats_its_value_is_read(raw: bytes) -> None:
    assert list(read(raw)) == ["a"]


@pytest.mark.parametrize(
    ("raw", "hint"),
    [
        (gzip.compress(b"{}", mtime=0), "(it is compressed with gzip; publish it uncompressed)"),
        *(
            ('{"userId": "u1"}'.encode(encoding), "(it is UTF-16 or UTF-32; publish it as UTF-8)")
            for encoding in ("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be")
        ),
    ],
)
def test_error_for_another_encoding_names_it(raw: bytes, hint: str) -> None:
    assert refusal(raw).startswith("body is not JSON: ")
    assert refusal(raw).endswith(hint)


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
        read(raw)
