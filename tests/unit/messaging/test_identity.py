"""The identity of messages."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.messaging.message import Message, identify
from tests.support.events import encoded

BODY = {"deviceId": "d1", "reason": "x"}
IDS = st.text(min_size=1).filter(lambda text: text.strip() and "\ufffd" not in text)


def sent(
    body: object = BODY, queue: str = "scheduler.device-failed", **properties: object
) -> Message:
    return Message(queue, encoded(body), properties)


def id_of(message: Message) -> str:
    return identify(message, json.loads(message.body)).id


def test_message_id_takes_precedence_over_event_id() -> None:
    body = BODY | {"eventId": "e-1"}

    assert id_of(sent(body, message_id="m-1")) == "m-1"
    assert id_of(sent(body)) == "e-1"
    assert id_of(sent(body, message_id="")) == "e-1"


@pytest.mark.parametrize("event_id", [5, None, "", [], {}])
def test_event_id_that_is_not_a_text_is_ignored(event_id: object) -> None:
    assert id_of(sent(BODY | {"eventId": event_id})) == ""


@pytest.mark.parametrize("damaged", ["\ufffd", "a\ufffdb", " ", "\n"])
def test_damaged_or_blank_id_does_not_identify(damaged: str) -> None:
    """The bytes of two UUIDs may both be 16 characters U+FFFD."""
    assert id_of(sent(message_id=damaged)) == ""
    assert id_of(sent(BODY | {"eventId": damaged})) == ""
    assert id_of(sent(BODY | {"eventId": "e-1"}, message_id=damaged)) == "e-1"
    keys = [sent(BODY | {"reason": r}, message_id=damaged).delivery_key for r in "xy"]
    assert len(set(keys)) == 2


def test_without_an_id_only_the_header_of_an_earlier_receipt_identifies_the_message() -> None:
    assert id_of(sent()) == ""
    assert id_of(sent(headers={"x-identity": "content:00:1"})) == "content:00:1"
    assert id_of(sent(headers={"x-identity": "two words"})) == ""
    assert id_of(sent(headers={"x-identity": "unknown"})) == ""
    assert id_of(sent(headers={"x-identity": 5})) == ""
    assert id_of(sent(headers={"x-identity": "name-of-the-caller"})) == ""
    assert id_of(sent(message_id="m", headers={"x-identity": "content:00:1"})) == "m"


def test_order_of_keys_and_whitespace_do_not_matter() -> None:
    one = Message("q", b'{"a": 1, "b": {"c": 2, "d": "\xe8\xae\xbe"}}', {})
    other = Message("q", b'{"b":{"d":"\\u8bbe","c":2},"a":1}', {})

    assert identify(one, json.loads(one.body)) == identify(other, json.loads(other.body))


@pytest.mark.parametrize(
    "given_id", ["设备", "a b", "a\n", "x" * 129, "😀" * 64, "\x00", " m", "m "]
)
def test_unusual_id_is_stored_as_its_hash(given_id: str) -> None:
    stored = id_of(sent(message_id=given_id))

    assert stored.startswith("sha256:")
    assert stored == id_of(sent(BODY | {"reason": "y"}, message_id=given_id))


@given(given_id=IDS)
def test_every_id_fits_into_128_ascii_characters(given_id: str) -> None:
    stored = id_of(sent(message_id=given_id))

    assert stored.isascii()
    assert stored.isprintable()
    assert 1 <= len(stored) <= 128


@given(ids=st.lists(IDS, min_size=2, max_size=2, unique=True))
def test_different_ids_stay_different(ids: list[str]) -> None:
    one, other = (id_of(sent(message_id=given_id)) for given_id in ids)

    assert one != other


def test_another_body_under_the_same_id_has_another_hash() -> None:
    one, other = (sent(BODY | {"reason": r}, message_id="m-1") for r in "xy")

    hashes = [identify(message, json.loads(message.body)).sha256 for message in (one, other)]

    assert len(set(hashes)) == 2
    assert {len(digest) for digest in hashes} == {32}


@pytest.mark.parametrize(
    ("header", "attempt"),
    [(None, 0), (0, 0), (2, 2), (-1, 0), ("2", 0), (1 << 40, 0), (1.5, 0), ([1], 0)],
)
def test_invalid_attempt_counts_as_zero(header: object, attempt: int) -> None:
    assert Message("q", b"", {"headers": {"x-attempt": header}}).attempt == attempt
    assert Message("q", b"", {"headers": None}).attempt == 0
    assert Message("q", b"", {}).attempt == 0
