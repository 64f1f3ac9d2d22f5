"""Records have the format of Amazon MQ's event source mapping."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from pika import BasicProperties

from local.event_source_mapping.record import BROKER_ARN, event_json, java_date, record_json
from scheduler.messaging.message import Message
from scheduler.messaging.record import decode


def _record(
    properties: BasicProperties | None = None, body: bytes = b"{}", *, redelivered: bool = False
) -> dict[str, Any]:
    raw = record_json(properties or BasicProperties(), body, redelivered=redelivered)
    record: dict[str, Any] = json.loads(raw)
    return record


def _headers(**headers: object) -> dict[str, Any]:
    properties = _record(BasicProperties(headers=headers))["basicProperties"]
    decoded: dict[str, Any] = properties["headers"]
    return decoded


def test_absent_properties_are_null() -> None:
    assert _record(body=b"Hello World 1", redelivered=True) == {
        "basicProperties": {
            "contentType": None,
            "contentEncoding": None,
            "headers": None,
            "deliveryMode": None,
            "priority": None,
            "correlationId": None,
            "replyTo": None,
            "expiration": None,
            "messageId": None,
            "timestamp": None,
            "type": None,
            "userId": None,
            "appId": None,
            "clusterId": None,
            "bodySize": 13,
        },
        "redelivered": True,
        "data": "SGVsbG8gV29ybGQgMQ==",
    }


def test_record_matches_the_example_in_the_aws_documentation() -> None:
    body = b'{"timeout":0,"data":"CZrmf0Gw8Ov4bqLQxD4E"}'
    properties = BasicProperties(
        content_type="text/plain",
        headers={"header1": "value1", "header2": "value2", "numberInHeader": 10},
        delivery_mode=1,
        priority=34,
        expiration="60000",
        timestamp=2021,
        user_id="AIDACKCEVSQ6C2EXAMPLE",
    )

    event = json.loads(event_json("test", "/", [record_json(properties, body, redelivered=False)]))

    assert event == {
        "eventSource": "aws:rmq",
        "eventSourceArn": BROKER_ARN,
        "rmqMessagesByQueue": {
            "test::/": [
                {
                    "basicProperties": {
                        "contentType": "text/plain",
                        "contentEncoding": None,
                        "headers": {
                            "header1": {"bytes": [118, 97, 108, 117, 101, 49]},
                            "header2": {"bytes": [118, 97, 108, 117, 101, 50]},
                            "numberInHeader": 10,
                        },
                        "deliveryMode": 1,
                        "priority": 34,
                        "correlationId": None,
                        "replyTo": None,
                        "expiration": "60000",
                        "messageId": None,
                        "timestamp": "Jan 1, 1970, 12:33:41 AM",
                        "type": None,
                        "userId": "AIDACKCEVSQ6C2EXAMPLE",
                        "appId": None,
                        "clusterId": None,
                        "bodySize": len(body),
                    },
                    "redelivered": False,
                    "data": "eyJ0aW1lb3V0IjowLCJkYXRhIjoiQ1pybWYwR3c4T3Y0YnFMUXhENEUifQ==",
                }
            ]
        },
    }


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "Jan 1, 1970, 12:00:00 AM"),
        (2021, "Jan 1, 1970, 12:33:41 AM"),
        (43_200, "Jan 1, 1970, 12:00:00 PM"),
        (1_688_261_434, "Jul 2, 2023, 1:30:34 AM"),
        (1_709_210_096, "Feb 29, 2024, 12:34:56 PM"),
        (253_402_300_800, "Jan 1, 10000, 12:00:00 AM"),
        (2**63, "Dec 4, 292277026596, 3:30:08 PM"),
    ],
)
def test_timestamps_have_the_format_of_java(seconds: int, text: str) -> None:
    assert java_date(seconds) == text


def test_header_bytes_are_signed() -> None:
    assert _headers(name="ü") == {"name": {"bytes": [-61, -68]}}
    assert _headers(raw=b"\xff\x00\x7f\x80") == {"raw": {"bytes": [-1, 0, 127, -128]}}


def test_nested_header_values_are_converted() -> None:
    death = {
        "count": 2,
        "reason": "rejected",
        "time": datetime(2026, 11, 24, 9, 5, 7, tzinfo=UTC),
        "routing-keys": ["a", 1],
    }

    assert _headers(**{"x-death": [death]}) == {
        "x-death": [
            {
                "count": 2,
                "reason": {"bytes": list(b"rejected")},
                "time": "Nov 24, 2026, 9:05:07 AM",
                "routing-keys": [{"bytes": [97]}, 1],
            }
        ]
    }


def test_other_header_values_are_unchanged() -> None:
    assert _headers(n=2**40, negative=-1, yes=True, nothing=None, d=Decimal("1.5")) == {
        "n": 2**40,
        "negative": -1,
        "yes": True,
        "nothing": None,
        "d": 1.5,
    }


def test_empty_header_table_is_an_empty_object() -> None:
    assert _record(BasicProperties(headers={}))["basicProperties"]["headers"] == {}


def test_binary_body_is_unchanged() -> None:
    body = bytes(range(256))

    record = _record(body=body)

    assert base64.b64decode(record["data"]) == body
    assert record["basicProperties"]["bodySize"] == 256


def test_property_that_is_not_utf_8_is_replaced() -> None:
    assert _record(BasicProperties(type=b"\xff"))["basicProperties"]["type"] == "\ufffd"


def test_pipeline_decodes_the_record() -> None:
    headers = {"x-attempt": 2, "who": "设备", "table": {"list": ["a", 1, None]}, "raw": b"\xff"}
    properties = BasicProperties(
        content_type="application/json",
        correlation_id="c-1",
        message_id="m-1",
        headers=headers,
        timestamp=1_795_500_000,
    )
    raw = record_json(properties, b'{"deviceId":"device-001"}', redelivered=True)

    ((queue, (message,)),) = decode(json.loads(event_json("q", "cloudphone", [raw])))

    assert isinstance(message, Message)
    assert queue == message.queue == "q"
    assert message.body == b'{"deviceId":"device-001"}'
    assert message.headers == headers
    assert message.properties["message_id"] == "m-1"
    assert message.properties["correlation_id"] == "c-1"
    assert message.sent_at == datetime.fromtimestamp(1_795_500_000, UTC)
    assert message.redelivered
