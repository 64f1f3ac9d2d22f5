"""The calculator of costs: known figures, and those of the document."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from local.paths import ROOT
from local.template import deployed_function
from operations.event_bodies import CONTRACTS
from ops.costs import (
    API_MB,
    CONNECTION_WRITES,
    PAYMENT_EVENTS,
    SIZES,
    TICKET_WRITES,
    Traffic,
    cost,
)
from ops.preflight.deployment import Deployment
from ops.prices import PRICES
from scheduler.realtime.connections import Connections
from scheduler.realtime.tickets import Tickets
from tests.integration.ops.running import run

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
IN_THE_INDEX = 2
PRICE = PRICES["us-east-1"]
TOTALS = re.compile(r"^\| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", re.MULTILINE)


def items(traffic: Traffic, environment: str = "dev") -> dict[str, float]:
    return {item.name: item.dollars for item in cost(traffic, environment, PRICE)}


def test_hundred_frames_a_second_cost_263_dollars_and_their_queries_16() -> None:
    found = items(Traffic(events=0, frames=100))

    assert round(found["WebSocket messages"]) == 263
    assert round(found["DynamoDB query per push"]) == 16


def test_public_addresses_are_counted() -> None:
    found = items(Traffic(events=0), "prod")

    assert found["public IPv4 addresses"] == pytest.approx(2 * 730 * 0.005)


@pytest.mark.parametrize(
    ("environment", "node", "dollars"),
    [
        (("default", "dev"), ("mq.m7g.medium", "false"), 200 * 0.1),
        (("prod", "prod"), ("mq.m7g.large", "true"), 3 * 15 * 0.1),
    ],
)
def test_broker_storage_is_that_of_the_deployed_nodes(
    environment: tuple[str, str], node: tuple[str, str], dollars: float
) -> None:
    """Amazon MQ gives a single node 200 GB, and each node of such a cluster 15 GB."""
    section, name = environment
    deployed = Deployment.of(section).parameters

    assert (deployed["BrokerInstanceType"], deployed["HighAvailability"]) == node
    assert items(Traffic(events=0), name)["broker storage, GB"] == pytest.approx(dollars)


class Writes:
    """A client of DynamoDB that counts the writes."""

    def __init__(self) -> None:
        self.count = 0

    def write(self, **_request: object) -> dict[str, Any]:
        self.count += 1
        return {"Attributes": {"user_id": {"S": "u1"}, "issued_at": {"S": NOW.isoformat()}}}

    put_item = update_item = delete_item = write


def test_ticket_and_connection_take_the_writes_that_are_counted() -> None:
    of_ticket, of_connection = Writes(), Writes()
    tickets = Tickets(cast("Any", of_ticket), "tickets")
    connections = Connections(cast("Any", of_connection), "connections")

    assert tickets.redeem(tickets.issue("u1", NOW).secret, NOW)
    assert connections.add("c1", "u1", NOW)
    assert connections.activate("c1")
    connections.remove("c1")

    assert of_ticket.count == TICKET_WRITES
    assert of_connection.count + IN_THE_INDEX == CONNECTION_WRITES


def test_writes_of_connections_and_payments_are_counted() -> None:
    found = items(Traffic(events=100, users=1000))

    # 365 connections with nine writes and 4,380 keep-alives of each user.
    assert found["DynamoDB writes, tickets and connections"] == pytest.approx(
        1000 * (365 * 9 + 4380) * 0.625e-6
    )
    assert found["WebSocket keep-alives and their invocations"] == pytest.approx(4.38 * 1.2)
    # 20 payments a second, with a write of a transaction each
    assert round(found["DynamoDB writes, payments"]) == 66


def test_payments_are_those_of_the_contracts() -> None:
    assert sum(one.payment is not None for one in CONTRACTS.values()) == PAYMENT_EVENTS


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


def test_memory_of_the_api_is_that_of_the_template() -> None:
    assert deployed_function("allocation-api")["MemorySize"] == API_MB
