"""docs/events.md lists every event with a valid body and its class."""

import re
from pathlib import Path

import pytest

from scheduler.messaging.validate import parse
from tests.support.deciding import handling_of
from tests.support.events import EVENT_TYPES, QUEUE_OF, message
from tests.support.world import NOW

_GUIDE = Path(__file__).parents[3] / "docs/events.md"
_ROW = re.compile(r"^\| `([a-z_.]+)` \| `(\{.*\})` \|.*\| (\w+) \|$", re.MULTILINE)
ROWS = {name: (body, kind) for name, body, kind in _ROW.findall(_GUIDE.read_text("utf-8"))}


def test_guide_lists_all_events() -> None:
    assert sorted(ROWS) == sorted(EVENT_TYPES), "docs/events.md is stale: run `make generate`"


@pytest.mark.parametrize("event_type", EVENT_TYPES)
def test_body_in_the_guide_is_valid_and_its_class_is_right(event_type: str) -> None:
    body, kind = ROWS[event_type]
    contract = handling_of(QUEUE_OF[event_type]).contract

    parse(message(event_type, body=body.encode()), contract, NOW)

    assert kind == ("critical" if contract.critical else "informational")
