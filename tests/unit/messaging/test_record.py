"""Decoding the records of an Amazon MQ event, valid and malformed ones."""

import base64
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.messaging.message import Message
from scheduler.messaging.record import Undecodable, decode
from tests.support.anything import json_values

NOTHING = dict.fromkeys(
    (
        *("contentType", "contentEncoding", "headers", "deliveryMode", "priority"),
        *("correlationId", "replyTo", "expiration", "messageId", "timestamp", "type"),
        *("userId", "appId", "clusterId", "bodySize"),
    )
)


def one(data: object = "e30=", *, redelivered: object = False, **properties: object) -> Message:
    """Decode a single record; ``e30=`` is ``{}``."""
    record = {
        "basicProperties": NOTHING | properties,
        "redelivered": redelivered,
        "data": data,
    }
    return decoded({"q::cloudphone": [record]})[0]


def decoded(queues: dict[str, Any]) -> list[Message]:
    everything = [one for _, batch in decode({"rmqMessagesByQueue": queues}) for one in batch]
    return [one.message if isinstance(one, Undecodable) else one for one in everything]


def reason(record: object) -> str:
    ((_, (found,)),) = decode({"rmqMessagesByQueue": {"q::v": [record]}})
    return found.reason if isinstance(found, Undecodable) else ""


def test_record_without_properties_is_a_message() -> None:
    assert one() == Message("q", b"{}", {})


def test_missing_parts_of_a_record_are_tolerated() -> None:
    assert decoded({"q::v": [{"data": "e30="}, {"basicProperties": None, "data": "e30="}]}) == [
        Message("q", b"{}", {}),
        Message("q", b"{}", {}),
    ]


def test_queue_is_the_part_before_the_virtual_host() -> None:
    assert [
        message.queue for message in decoded({"a::/": [{"data": ""}], "b": [{"data": ""}]})
    ] == [
        "a",
        "b",
    ]


@pytest.mark.parametrize(
    ("queue", "seen"),
    [
        ("scheduler.device-failed", ("scheduler.device-failed", 0)),
        ("scheduler.device-failed.3", ("scheduler.device-failed", 3)),
        ("scheduler.device-failed.4", ("scheduler.device-failed.4", 0)),
        ("scheduler.device-failed.retry", ("scheduler.device-failed.retry", 0)),
        ("somebody.elses.3", ("somebody.elses.3", 0)),
    ],
)
def test_message_of_a_shard_has_the_queue_of_its_event(queue: str, seen: tuple[str, int]) -> None:
    (message,) = decoded({f"{queue}::cloudphone": [{"data": ""}]})

    assert (message.queue, message.shard) == seen


def test_messages_keep_their_order_and_queue() -> None:
    datas = [base64.b64encode(bytes([n])).decode() for n in range(5)]

    event = {"rmqMessagesByQueue": {"b": [{"data": d} for d in datas], "a": []}}

    (queue, messages), (empty, none) = decode(event)
    assert (queue, empty, none) == ("b", "a", [])
    assert [m.body for m in messages if isinstance(m, Message)] == [bytes([n]) for n in range(5)]


@pytest.mark.parametrize(
    ("value", "seen"), [(True, True), (False, False), (None, False), (1, False)]
)
def test_only_true_means_redelivered(value: object, *, seen: bool) -> None:
    assert one(redelivered=value).redelivered is seen


def test_only_properties_that_can_be_republished_are_kept() -> None:
    message = one(
        contentType="application/json",
        contentEncoding="utf-8",
        priority=3,
        correlationId="c",
        replyTo="r",
        messageId="m",
        type="t",
        appId="a",
        expiration="60000",
        userId="guest",
        clusterId="x",
        deliveryMode=2,
        bodySize=2,
    )

    assert message.properties == {
        "content_type": "application/json",
        "content_encoding": "utf-8",
        "priority": 3,
        "correlation_id": "c",
        "reply_to": "r",
        "message_id": "m",
        "type": "t",
        "app_id": "a",
    }


# -- headers -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "decoded_value"),
    [
        ({"bytes": [118, 49]}, "v1"),
        ({"bytes": [-24, -82, -66]}, "设"),
        ({"bytes": [232, 174, 190]}, "设"),
        ({"bytes": []}, ""),
        ({"bytes": [-1, 0, 127]}, b"\xff\x00\x7f"),
        (10, 10),
        (-(2**63), -(2**63)),
        (True, True),
        (None, None),
        ("Nov 3, 2025, 12:31:07 AM", "Nov 3, 2025, 12:31:07 AM"),
        ([{"bytes": [97]}, 1, [None]], ["a", 1, [None]]),
        ({"zone": {"bytes": [98]}, "n": {"m": 1}}, {"zone": "b", "n": {"m": 1}}),
        ({"bytes": [97], "more": 1}, {"bytes": [97], "more": 1}),
        # values that pika cannot encode
        (1.5, "1.5"),
        (2**63, "9223372036854775808"),
        ("\ud800", "?"),
        ({"k" * 256: 1, "short": 2}, {"short": 2}),
    ],
)
def test_header_values_are_decoded(raw: object, decoded_value: object) -> None:
    assert one(headers={"h": raw}).headers == {"h": decoded_value}


def test_headers_set_by_the_broker_are_dropped() -> None:
    brokers = (
        *("x-death", "x-delivery-count", "x-acquired-count"),
        *("x-first-death-queue", "x-first-death-reason", "x-last-death-exchange"),
    )

    message = one(headers=dict.fromkeys(brokers, 1) | {"x-attempt": 2, "x-deathly": 3})

    assert message.headers == {"x-attempt": 2, "x-deathly": 3}
    assert message.attempt == 2


def test_headers_nested_too_deep_are_truncated() -> None:
    deep: object = 1
    for _ in range(100):
        deep = {"x": deep}

    assert "(nested too deep)" in str(one(headers={"h": deep}).headers)


@pytest.mark.parametrize("headers", [None, [], "x", 5])
def test_headers_that_are_not_a_table_are_ignored(headers: object) -> None:
    assert one(headers=headers).headers == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("messageId", 5),
        ("messageId", "x" * 256),
        ("messageId", "设" * 86),
        ("correlationId", ["a"]),
        ("type", "\ud800"),
        ("priority", 256),
        ("priority", -1),
        ("priority", "1"),
        ("priority", True),
    ],
)
def test_property_that_amqp_cannot_carry_is_omitted(name: str, value: object) -> None:
    assert one(**{name: value}).properties == {}


# -- time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Jan 1, 1970, 12:33:41 AM", datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC)),
        ("Nov 3, 2025, 12:00:00 PM", datetime(2025, 11, 3, 12, tzinfo=UTC)),
        ("Nov 3, 2025, 11:59:59\u202fPM", datetime(2025, 11, 3, 23, 59, 59, tzinfo=UTC)),
        ("Feb 29, 2024, 1:02:03 AM", datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC)),
        ("Dec 31, 9999, 11:59:59 PM", datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        ("Jan 1, 58134, 12:00:00 AM", None),
        ("Feb 30, 2024, 1:02:03 AM", None),
        ("Jan 1, 0001, 12:00:00 AM", None),
        ("Dec 31, 1969, 11:59:59 PM", None),
        ("2025-11-03T12:00:00Z", None),
        ("", None),
        (1700000000, None),
        (None, None),
    ],
)
def test_java_dates_are_parsed_and_invalid_ones_ignored(
    text: object, moment: datetime | None
) -> None:
    assert one(timestamp=text).sent_at == moment


# -- malformed records ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (None, "the record is not an object"),
        (5, "the record is not an object"),
        ("x", "the record is not an object"),
        ([], "the record is not an object"),
        ({}, "the record has no data"),
        ({"data": None}, "the record has no data"),
        ({"data": ["e30="]}, "the record has no data"),
        ({"data": "no base64!"}, "the record's data is not base64"),
        ({"data": "e30"}, "the record's data is not base64"),
        ({"data": "\ud800"}, "the record's data is not base64"),
    ],
)
def test_malformed_record_has_a_reason(record: object, why: str) -> None:
    assert reason(record) == why


def test_malformed_record_keeps_what_can_be_read() -> None:
    assert [m.body for m in decoded({"q": [5, {"data": "no base64!", "x": 1}]})] == [
        b"5",
        b"no base64!",
    ]


def test_record_nested_beyond_recursion_is_malformed() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]

    assert reason(deep) == "the record is not an object"


@pytest.mark.parametrize(
    "event",
    [
        *(None, [], 5, "x", {}),
        {"rmqMessagesByQueue": None},
        {"rmqMessagesByQueue": []},
        {"rmqMessagesByQueue": {}},
        {"rmqMessagesByQueue": "x"},
    ],
)
def test_event_without_queues_has_no_messages(event: object) -> None:
    assert list(decode(event)) == []


@given(event=json_values | st.fixed_dictionaries({"rmqMessagesByQueue": json_values}))
def test_decoding_never_raises(event: object) -> None:
    for queue, batch in decode(event):
        assert isinstance(queue, str)
        assert all(isinstance(one, Message | Undecodable) for one in batch)


@given(record=json_values)
def test_every_record_becomes_one_message(record: object) -> None:
    assert len(decoded({"q::v": [record, record]})) == 2


@given(body=st.binary())
def test_any_body_is_preserved(body: bytes) -> None:
    assert one(base64.b64encode(body).decode()).body == body
