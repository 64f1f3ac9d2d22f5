"""What the contracts accept, and what they refuse with a readable reason."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.bodies import FULLEST, SMALLEST
from operations.event_bodies import fields
from scheduler.messaging.body import InvalidBodyError
from scheduler.messaging.contract import Event, PaymentEffect
from scheduler.messaging.message import Message
from scheduler.messaging.validate import parse
from tests.support.anything import json_values, texts
from tests.support.deciding import handling_of, parsed
from tests.support.events import EVENT_TYPES, QUEUE_OF, encoded, message
from tests.support.world import MINUTE, NOW, SECOND

DAY = timedelta(days=1)
INFORMATIONAL = {"device.status_changed", "billing.balance_low", "billing.payment_success"}
REQUIRED = [(name, field) for name, body in SMALLEST.items() for field in body]


def contract_of(event_type: str) -> type[Event]:
    return handling_of(QUEUE_OF[event_type]).contract


def event(event_type: str, **about: Any) -> Any:  # noqa: ANN401 - any event
    return parsed(message(event_type, **about)).event


def refusal(event_type: str, *, body: bytes | None = None, **fields: Any) -> str:  # noqa: ANN401 - any field
    """Return why a body is refused, or an empty text."""
    sent = message(event_type, body=body, **fields)
    try:
        parse(sent, contract_of(event_type), NOW)
    except InvalidBodyError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_event_has_its_contract_and_class(event_type: str) -> None:
    contract = contract_of(event_type)

    assert contract.event_type == event_type
    assert contract.critical is (event_type not in INFORMATIONAL)
    assert contract.aggregate == ("device" if event_type.startswith("device") else "user")


def test_three_events_change_the_count_of_failed_payments() -> None:
    assert {name: effect for name in EVENT_TYPES if (effect := contract_of(name).payment)} == {
        "billing.payment_failed": PaymentEffect.FAILURE,
        "billing.payment_success": PaymentEffect.RESET,
        "billing.recharged": PaymentEffect.RESET,
    }


def test_catalogue_of_bodies_has_every_event() -> None:
    assert set(SMALLEST) == set(FULLEST) == set(EVENT_TYPES), "complete events/bodies.py"


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_smallest_body_has_the_required_fields_and_the_fullest_all(event_type: str) -> None:
    own = {
        field.alias: field.is_required()
        for name, field in contract_of(event_type).model_fields.items()
        if name not in Event.model_fields
    }

    assert set(SMALLEST[event_type]) == {name for name, required in own.items() if required}
    assert set(FULLEST[event_type]) >= own.keys()
    assert refusal(event_type, body=encoded(FULLEST[event_type])) == ""


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_unknown_fields_are_ignored(event_type: str) -> None:
    assert refusal(event_type, extra={"deep": [None]}, type="x", guard="y") == ""


@pytest.mark.parametrize(("event_type", "field"), REQUIRED)
def test_missing_field_is_named(event_type: str, field: str) -> None:
    body = {name: value for name, value in SMALLEST[event_type].items() if name != field}

    assert refusal(event_type, body=encoded(body)) == f"{field}: Field required"


@pytest.mark.parametrize(("event_type", "field"), REQUIRED)
@pytest.mark.parametrize("value", [None, [], {}, [1]])
def test_field_of_another_type_is_named(event_type: str, field: str, value: object) -> None:
    fields: dict[str, Any] = {field: value}

    assert refusal(event_type, **fields).startswith(field)


# -- bodies ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "body is not JSON: EOF while parsing"),
        (b'{"deviceId": "d1", "reason": ', "body is not JSON: EOF while parsing"),
        (b"\xff\xfe", "body is not JSON: expected value"),
        (b"null", "body is not a JSON object but a NoneType"),
        (b"[]", "body is not a JSON object but a list"),
        (b'"text"', "body is not a JSON object but a str"),
        (b"1", "body is not a JSON object but a int"),
        (b'{"deviceId": NaN}', "body is not JSON: "),
        (b'{"deviceId": -Infinity}', "body is not JSON: "),
        (b'{"deviceId": "\\ud800", NaN}', "body is not JSON: "),
        (b'{"deviceId": "\\ud800", "x": NaN}', "body is not JSON: "),
        (b'{"deviceId": "d1"} {}', "body is not JSON: trailing characters"),
        (b'{"x": ' + b"[" * 10_000 + b"]" * 10_000 + b"}", "body is not JSON: recursion limit"),
        (b'{"x": ' + b"9" * 5_000 + b"}", "body is not JSON: number out of range"),
    ],
)
def test_body_that_is_not_a_json_object_is_refused(body: bytes, why: str) -> None:
    assert refusal("device.failed", body=body).startswith(why)


def test_every_invalid_field_is_named_and_no_value_is_repeated() -> None:
    why = refusal("billing.overdue", userId="secret\x00", overdueAmount="many", overdueDays=-1)

    assert [part.partition(":")[0] for part in why.split("; ")] == [
        "userId",
        "overdueAmount",
        "overdueDays",
    ]
    assert "secret" not in why
    assert "many" not in why


def test_fields_are_accepted_under_their_wire_names_only() -> None:
    body = {"device_id": "d1", "reason": "x"}

    assert refusal("device.failed", body=encoded(body)) == "deviceId: Field required"


# -- ids, texts, numbers ---------------------------------------------------------------


@pytest.mark.parametrize("good", ["d", "x" * 64, "设备-1", "😀" * 64, "a b", "' OR 1=1 --", "%s"])
def test_ids_have_one_to_64_characters_of_any_script(good: str) -> None:
    assert event("device.failed", deviceId=good).device_id == good


@pytest.mark.parametrize(
    "bad", ["", "x" * 65, "d\x00", "d\n", " d", "d ", "\u2028", "a\x7fb", "\x85"]
)
def test_other_ids_are_refused(bad: str) -> None:
    assert refusal("device.failed", deviceId=bad).startswith("deviceId: ")
    assert refusal("user.activated", userId=bad).startswith("userId: ")


@pytest.mark.parametrize(
    ("reason", "kept"),
    [
        ("", ""),
        ("  x ", "x"),
        ("line\r\nline\tx\x00y", "line line x y"),
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 299 + "…"),
        ("设" * 100_000, "设" * 299 + "…"),
        ("{used} %s ' \" \\", "{used} %s ' \" \\"),
    ],
)
def test_reason_becomes_one_line_of_at_most_300_characters(reason: str, kept: str) -> None:
    assert event("device.failed", reason=reason).reason == kept


@pytest.mark.parametrize(
    ("amount", "read"),
    [
        (150.50, "150.5"),
        ("150.50", "150.50"),
        (100, "100"),
        (0, "0"),
        (10**12, "1000000000000"),
        (0.1, "0.1"),
    ],
)
def test_amounts_are_read_as_written(amount: object, read: str) -> None:
    assert event("billing.overdue", overdueAmount=amount).overdue_amount == Decimal(read)


@pytest.mark.parametrize(
    "amount",
    [
        *[-0.01, 10**12 + 1, 1e300, True],
        *["NaN", "Infinity", "-Infinity", "many", "", "1e999"],
        *["1_000", "1e3", "1,000", " 1", "١٠٠", "１０", "¥1"],
    ],
)
def test_other_amounts_are_refused(amount: object) -> None:
    assert refusal("billing.overdue", overdueAmount=amount).startswith("overdueAmount: ")


@pytest.mark.parametrize(("balance", "good"), [(-3.5, True), (-(10**12), True), (-(10**13), False)])
def test_balance_may_be_negative_within_limits(balance: float, *, good: bool) -> None:
    assert (refusal("billing.balance_low", currentBalance=balance) == "") is good


@pytest.mark.parametrize(
    ("event_type", "fields"),
    [
        ("billing.overdue", {"overdueDays": -1}),
        ("billing.overdue", {"overdueDays": 100_001}),
        ("billing.overdue", {"overdueDays": 1.5}),
        ("device.maintenance", {"estimatedDuration": -1}),
        ("device.maintenance", {"estimatedDuration": 2**40}),
        ("device.status_changed", {"newStatus": 5}),
        ("device.created", {"cpuCores": -1}),
        ("device.created", {"memoryMB": 2**32}),
        ("device.created", {"adbPort": 65_536}),
        ("user.quota_updated", {"newQuota": {"maxDevices": -1}}),
        ("user.quota_updated", {"newQuota": {"maxDevices": 2**31}}),
        ("user.quota_updated", {"newQuota": {"maxCpu": 1}}),
        ("user.quota_exceeded", {"quotaType": "disks"}),
        ("user.quota_exceeded", {"limit": -1}),
        ("user.quota_exceeded", {"current": 10**30}),
    ],
)
def test_values_out_of_range_are_refused(event_type: str, fields: dict[str, Any]) -> None:
    (field,) = fields

    assert refusal(event_type, **fields).startswith(field)


@pytest.mark.parametrize("version", [1, 2**63 - 1, None])
def test_versions_from_1_to_2_to_the_63_are_accepted(version: int | None) -> None:
    assert event("device.failed", version=version).stamp.version == version


@pytest.mark.parametrize("version", [0, -1, 2**63, 10**30, 1.0, "1", True, []])
def test_other_versions_are_refused(version: object) -> None:
    assert refusal("device.failed", version=version).startswith("version: ")


# -- time --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-02-20T12:00:00Z", datetime(2026, 2, 20, 12, tzinfo=UTC)),
        ("2026-02-20T12:00:00+08:00", datetime(2026, 2, 20, 4, tzinfo=UTC)),
        ("2026-02-20T12:00:00.123456789Z", datetime(2026, 2, 20, 12, 0, 0, 123456, tzinfo=UTC)),
        ("2000-01-01T00:00:00Z", datetime(2000, 1, 1, tzinfo=UTC)),
        ("2026-03-01T12:05:00Z", NOW + 5 * MINUTE),
        ("2026-03-01T12:05:00.001Z", NOW),
        ("2026-03-01T20:00:00Z", NOW),
        ("2026-03-01T20:00:00+08:00", NOW),
        ("9999-12-31T23:59:59-12:00", NOW),
        ("9999-12-31T23:59:59Z", NOW),
    ],
)
def test_iso_8601_timestamps_with_a_zone_are_limited_to_the_receipt(
    text: str, moment: datetime
) -> None:
    assert event("device.failed", timestamp=text).occurred_at == moment


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+14:00",
        "1999-12-31T23:59:59Z",
        "2026-02-20T12:00:00",
        "2026-02-20",
        "2026-02-30T00:00:00Z",
        "2026-02-20T12:00:00+99:00",
        "2026-02-20T25:00:00Z",
        "yesterday",
        "",
        1_700_000_000,
        1.7e9,
        "1700000000",
        "1700000000.5",
        False,
        [],
        {},
    ],
)
def test_other_timestamps_are_refused(text: object) -> None:
    assert refusal("device.failed", timestamp=text).startswith("timestamp: ")


@pytest.mark.parametrize(
    ("sent_at", "occurred_at"),
    [
        (NOW - MINUTE, NOW - MINUTE),
        (NOW + 5 * MINUTE, NOW + 5 * MINUTE),
        (NOW + 5 * MINUTE + SECOND, NOW),
        (datetime(1970, 1, 1, 0, 33, 41, tzinfo=UTC), NOW),
        (datetime(9999, 12, 31, tzinfo=UTC), NOW),
        (None, NOW),
    ],
)
@pytest.mark.parametrize("absent", [{}, {"timestamp": None}])
def test_missing_timestamp_is_that_of_the_message_or_the_time_of_receipt(
    absent: dict[str, Any], sent_at: datetime | None, occurred_at: datetime
) -> None:
    sent = Message("q", encoded(SMALLEST["device.failed"] | absent), {}, sent_at)

    assert parse(sent, contract_of("device.failed"), NOW).event.occurred_at == occurred_at


# -- anything ----------------------------------------------------------------------


@given(raw=(st.binary() | st.text().map(str.encode)).filter(lambda raw: b"{" not in raw))
def test_any_bytes_without_an_object_are_refused_with_a_reason(raw: bytes) -> None:
    assert refusal("device.failed", body=raw)


@given(
    event_type=st.sampled_from(EVENT_TYPES),
    fields=st.dictionaries(
        st.sampled_from(
            sorted({*(f for _, f in REQUIRED), "timestamp", "version", "eventId", "name"})
        ),
        json_values,
    ),
)
def test_any_values_are_accepted_or_refused_with_a_reason(
    event_type: str, fields: dict[str, Any]
) -> None:
    why = refusal(event_type, body=json.dumps(SMALLEST[event_type] | fields).encode())

    assert why == why.strip()


TEXTS = [
    (event_type, field.path)
    for event_type in EVENT_TYPES
    for field in fields(event_type)
    if field.is_text and not field.choices and field.path not in {"deviceId", "userId", "eventId"}
]


def test_free_texts_are_the_known_ones() -> None:
    assert {path for _, path in TEXTS} == {
        *("reason", "name", "maintenanceType"),
        *("oldStatus", "newStatus", "status", "adbHost"),
    }


@pytest.mark.parametrize(("event_type", "field"), TEXTS)
@given(text=texts | st.text(max_size=1000))
def test_any_text_in_a_free_text_is_accepted(event_type: str, field: str, text: str) -> None:
    body = SMALLEST[event_type] | {field: text}

    found = event(event_type, body=json.dumps(body).encode())

    cut = found.model_dump(by_alias=True)[field]
    assert len(cut) <= 300
    cut.encode()
