"""The schemas accept what is published, and refuse what is refused."""

from __future__ import annotations

import json
from typing import Any, Final

import jsonschema_rs
import pytest

from events.bodies import FULLEST, SMALLEST
from events.contracts.documented import documented_events, field_meanings
from events.contracts.files import contract_files
from events.contracts.produced import EXAMPLES, PRODUCED
from local.paths import ROOT
from operations.event_bodies import CONTRACTS
from scheduler.database import allocation_events
from scheduler.domain.reasons import ReleaseReason
from scheduler.domain.work import Work
from tests.support.deciding import QUOTA
from tests.support.events import EVENT_TYPES
from tests.support.world import MINUTE, NOW, device, held, user, world

FOLDER: Final = ROOT / "contracts"


def schema(event_type: str) -> Any:  # noqa: ANN401 - any JSON
    return json.loads((FOLDER / f"schemas/{event_type}.json").read_text("utf-8"))


def is_valid(event_type: str, body: object) -> bool:
    return jsonschema_rs.validator_for(schema(event_type), validate_formats=True).is_valid(body)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_smallest_and_fullest_body_are_valid(event_type: str) -> None:
    assert is_valid(event_type, SMALLEST[event_type])
    assert is_valid(event_type, FULLEST[event_type] | {"unknown": 1, "timestamp": NOW.isoformat()})


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_a_body_without_a_required_field_is_invalid(event_type: str) -> None:
    for missing in SMALLEST[event_type]:
        body = {name: value for name, value in SMALLEST[event_type].items() if name != missing}
        assert not is_valid(event_type, body)


@pytest.mark.parametrize(
    ("event_type", "wrong"),
    [
        ("device.failed", {"deviceId": "a/b"}),
        ("device.failed", {"deviceId": ""}),
        ("device.failed", {"reason": 404}),
        ("device.failed", {"version": 0}),
        ("billing.overdue", {"overdueAmount": "a lot"}),
        ("billing.overdue", {"overdueAmount": -1}),
        ("user.quota_exceeded", {"quotaType": "disk"}),
        ("user.quota_updated", {"newQuota": {}}),
    ],
)
def test_wrong_fields_are_invalid(event_type: str, wrong: dict[str, Any]) -> None:
    assert not is_valid(event_type, SMALLEST[event_type] | wrong)


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_every_field_has_a_meaning(event_type: str) -> None:
    contract = CONTRACTS[event_type]

    assert field_meanings(contract).keys() == contract.model_fields.keys()


def test_every_folder_holds_only_generated_files() -> None:
    written = {ROOT / path for path, _ in contract_files()}

    assert set(FOLDER.glob("schemas/*")) | set(FOLDER.glob("typescript/*")) <= written


def test_documented_notifications_follow_from_the_rules() -> None:
    notified = {one.type: [kind.key for kind in one.notifies] for one in documented_events()}

    assert notified["device.failed"] == ["device_released"]
    assert notified["user.deleted"] == []
    assert notified["billing.payment_failed"] == [
        "billing_alert.payment_failed",
        "device_released",
        "service_suspended",
    ]


def test_what_is_published_satisfies_its_schema() -> None:
    work = Work(world(user("u1"), held("d1"), held("d2"), device("d3")), NOW, QUOTA)
    first, second = work.active_allocations(user="u1")
    work.begin("scheduler.device-failed:message-1")
    work.release(first, ReleaseReason.device_failed("x"))
    work.extend(second, NOW + MINUTE)
    work.allocate("allocation-3", "u1", device("d3"), NOW + MINUTE)

    published = {type_: body for type_, _, body in allocation_events._events(work)}

    assert published.keys() == {one.event_type for one in PRODUCED}
    for event_type, body in published.items():
        validator = jsonschema_rs.validator_for(schema(event_type), validate_formats=True)
        assert list(validator.iter_errors(body)) == []
        assert body.keys() == EXAMPLES[event_type].keys()


@pytest.mark.parametrize("event_type", EXAMPLES)
def test_examples_of_published_events_are_valid(event_type: str) -> None:
    assert is_valid(event_type, EXAMPLES[event_type])
