"""The calculator of costs: known figures, and those of the document."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from local.paths import ROOT
from ops.costs import SIZES, Traffic, cost
from ops.prices import PRICES
from tests.integration.ops.running import run

PRICE = PRICES["us-east-1"]
TOTALS = re.compile(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)


def items(traffic: Traffic, environment: str = "dev") -> dict[str, float]:
    return {item.name: item.dollars for item in cost(traffic, environment, PRICE)}


def test_hundred_frames_a_second_cost_263_dollars_and_their_queries_16() -> None:
    found = items(Traffic(events=0, frames=100))

    assert round(found["WebSocket messages"]) == 263
    assert round(found["DynamoDB query per push"]) == 16


def test_public_addresses_and_broker_storage_are_counted() -> None:
    found = items(Traffic(events=0), "prod")

    assert found["public IPv4 addresses"] == pytest.approx(2 * 730 * 0.005)
    assert found["broker storage, GB"] == pytest.approx(3 * 20 * 0.1)


def test_emails_and_text_messages_cost_what_each_does() -> None:
    found = items(Traffic(events=0, emails=10_000, texts=100))

    assert found["e-mails (SES)"] == pytest.approx(1)
    assert found["text messages (SNS, to the US)"] == pytest.approx(1)


@pytest.mark.parametrize("environment", SIZES)
@pytest.mark.parametrize("what", Traffic.__slots__)
def test_more_of_anything_costs_more(environment: str, what: str) -> None:
    full = Traffic(100, 1000, 1000, 100, 1, 1, 1)  # more than the smallest database holds
    more = replace(full, **{what: 100 * getattr(full, what)})

    assert sum(items(more, environment).values()) > sum(items(full, environment).values())


@pytest.mark.parametrize("page", ["docs/operations.md", "docs/zh-CN/operations.md"])
def test_totals_of_the_document_are_those_of_the_calculator(page: str) -> None:
    section = re.split(r"^# ", (ROOT / page).read_text("utf-8"), flags=re.MULTILINE)
    (text,) = (one for one in section if one.startswith(("Costs\n", "费用\n")))

    rows = [[int(figure.replace(",", "")) for figure in row] for row in TOTALS.findall(text)]

    assert len(rows) == 3
    for events, *totals in rows:
        traffic = Traffic(events, users=10 * events, frames=events)
        assert totals == [round(sum(items(traffic, one).values())) for one in ("dev", "prod")]


def test_command_prints_each_item_and_the_total() -> None:
    done = run("cost", "--events-per-second", "100", "--users", "1000", "--json")

    found = json.loads(done.stdout)
    assert found["total"] == pytest.approx(sum(found["items"].values()), abs=0.2)
    assert found["items"]["WebSocket messages"] == 262.8


@pytest.mark.parametrize(("option", "value"), [("--region", "eu-west-1"), ("--environment", "qa")])
def test_unknown_region_or_environment_is_refused(option: str, value: str) -> None:
    done = run("cost", "--events-per-second", "1", "--users", "1", option, value)

    assert done.exit_code == 2
    assert value in done.stderr
