"""The saved queries of Logs Insights find, and show, what the functions really log."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
import yaml

from local.paths import ROOT
from scheduler.observability.logger import begin_invocation, service_logger
from tests.integration.api.client import user
from tests.support.events import message
from tests.support.logged import logged
from tests.support.world import device, held, world

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.support.functions import Functions
    from tests.support.store import Store

TRACE: Final = "a" * 32
SENT: Final = {"ID": "m-1", "correlation_id": "c-1", "traceparent": f"00-{TRACE}-{'b' * 16}-01"}
"""What the text that operators replace may stand for."""
CLAUSE: Final = re.compile(r"(\w+) (=|like) '([^']+)'")
FIELD: Final = re.compile(r"(?<![@\w])[a-z_]+")
WORDS: Final = {"fields", "filter", "ispresent", "sort", "desc", "asc", "limit", "or", "like"}


class Query(NamedTuple):
    """A saved query."""

    text: str

    @property
    def fields(self) -> set[str]:
        """Return the names that it mentions, except those of CloudWatch."""
        return set(FIELD.findall(re.sub(r"'[^']*'", "", self.text))) - WORDS

    @property
    def clauses(self) -> list[tuple[str, str, str]]:
        """Return the conditions of its filter, of which one must be true."""
        return CLAUSE.findall(self.text)


def holds(clause: tuple[str, str, str], line: dict[str, Any]) -> bool:
    name, operator, wanted = clause
    values = [wanted] if wanted != "ID" else [SENT["ID"], SENT["correlation_id"], TRACE]
    found = str(line.get(name))
    return any(found == one if operator == "=" else one in found for one in values)


class Loader(yaml.SafeLoader):
    """Reads templates; the values of CloudFormation's functions do not matter here."""


Loader.add_multi_constructor("!", lambda *_: None)


def saved() -> dict[str, Query]:
    text = (ROOT / "infrastructure/operations.yaml").read_text("utf-8")
    queries = yaml.load(text, Loader)["Mappings"]["Queries"]  # noqa: S506 - it is a SafeLoader
    return {name: Query(one["Text"]) for name, one in queries.items()}


@pytest.fixture
def lines(
    store: Store, functions: Functions, api: Client, capsys: pytest.CaptureFixture[str]
) -> list[dict[str, Any]]:
    """What is logged when a device fails, its user is suspended, and another requests devices."""
    store.seed(world(held("device-001", by="user-123"), device("d2")))
    failed = message("device.failed", id=SENT["ID"], deviceId="device-001")
    more = {
        "correlation_id": SENT["correlation_id"],
        "headers": {"traceparent": SENT["traceparent"]},
        "user_id": "device-service",
    }
    begin_invocation(SimpleNamespace(aws_request_id="r-1"))
    with logged() as written:
        functions.handle(failed._replace(properties={**failed.properties, **more}))
        functions.handle(message("user.suspended", id="m-2", userId="user-123"))
        api.get("/api/users/user-123", user("user-123"))
    service_logger().remove_keys(["function_request_id", "cold_start"])
    return [*written(), *map(json.loads, capsys.readouterr().out.splitlines())]


@pytest.mark.parametrize("name", ["User", "Device", "Message"])
def test_each_condition_of_a_query_finds_lines_and_they_have_its_fields(
    name: str, lines: list[dict[str, Any]]
) -> None:
    query = saved()[name]

    for clause in query.clauses:
        assert any(holds(clause, line) for line in lines), clause
    found = [line for line in lines if any(holds(one, line) for one in query.clauses)]
    assert {"outcome", "function_request_id"} <= query.fields
    assert query.fields <= {field for line in found for field in line}


def test_slowest_batches_are_sorted_by_a_number_beside_event_type_and_size(
    lines: list[dict[str, Any]],
) -> None:
    query = saved()["SlowestBatches"]
    duration = "scheduler_event_processing_duration_seconds"

    found = [line for line in lines if duration in line]

    assert [line["event_type"] for line in found] == ["device.failed", "user.suspended"]
    assert query.fields == {duration, "event_type", "scheduler_batch_size"}
    for line in found:
        assert query.fields <= line.keys()
        assert isinstance(line[duration], float)


def test_all_saved_queries_are_tested() -> None:
    assert saved().keys() == {"User", "Device", "Message", "SlowestBatches"}
