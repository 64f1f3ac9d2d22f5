"""Every event has a contract, which names missing and wrong fields."""

from typing import Any

import pytest

from events.bodies import FULLEST, SMALLEST
from scheduler.messaging.contract import Event, PaymentEffect
from tests.support.events import EVENT_TYPES, encoded
from tests.unit.messaging.reading import REQUIRED, contract_of, refusal

INFORMATIONAL = {"device.status_changed", "billing.balance_low", "billing.payment_success"}


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


def test_every_invalid_field_is_named_and_no_value_is_repeated() -> None:
    why = refusal("billing.overdue", userId="secret\x00", overdueAmount="many", overdueDays=-1)

    assert [part.partition(":")[0] for part in why.split("; ")] == [
        "userId",
        "overdueAmount",
        "overdueDays",
    ]
    assert "secret" not in why
    assert "many" not in why


@pytest.mark.parametrize("written", ["device_id", "DeviceID", "deviceid"])
def test_fields_are_accepted_under_their_wire_names_only(written: str) -> None:
    body = {written: "d1", "reason": "x"}

    why = f"deviceId: Field required: the body has {written}"
    assert refusal("device.failed", body=encoded(body)) == why


def test_misspelt_field_is_named_with_64_characters_at_most() -> None:
    """A name may be as long as the body, and the error is in the log and in the dead letter."""
    written = "reason" + "_" * 1000

    why = refusal("device.failed", body=encoded({"deviceId": "d1", written: "x"}))

    assert why == f"reason: Field required: the body has {written[:64]}"


def test_misspelt_field_within_another_is_named() -> None:
    why = refusal("user.quota_updated", newQuota={"max_devices": 5})

    assert why == "newQuota.maxDevices: Field required: the body has max_devices"
