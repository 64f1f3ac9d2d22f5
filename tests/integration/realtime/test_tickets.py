"""Tickets in DynamoDB, and the route that issues them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from allocation_api.api import AllocationApi
from allocation_api.settings import ApiSettings
from local.environment import aws_environment, function_environment
from scheduler.realtime.tickets import (
    MAX_OPEN_TICKETS,
    TICKET_LIFETIME,
    Tickets,
    TooManyTicketsError,
)
from tests.integration.api.client import ADMIN, Client, user

if TYPE_CHECKING:
    from types_boto3_dynamodb.service_resource import Table

NOW = datetime(2025, 1, 1, 12, 0, 0, 500_000, tzinfo=UTC)


@pytest.fixture
def api(aws_url: str, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Client:
    for name, value in aws_environment(aws_url).items():
        monkeypatch.setenv(name, value)
    variables = function_environment(database_url, "amqp://127.0.0.1:1/nowhere", aws_url)
    variables["CALLER_BURST_LIMIT"] = "100000"  # or requests would be refused before tickets are
    return Client(AllocationApi(ApiSettings.model_validate(variables)).handle)


def test_ticket_is_redeemed_once(tickets: Tickets) -> None:
    ticket = tickets.issue("u1", NOW)

    assert tickets.redeem(ticket.secret, NOW) == ("u1", NOW)
    assert tickets.redeem(ticket.secret, NOW) is None


def test_expired_ticket_is_refused_even_if_dynamodb_still_has_it(
    tickets: Tickets, tickets_table: Table
) -> None:
    ticket = tickets.issue("u1", NOW)

    assert tickets.redeem(ticket.secret, ticket.expires_at) is None
    assert "Item" in tickets_table.get_item(Key={"ticket": ticket.secret})


def test_ticket_is_valid_for_its_whole_lifetime(tickets: Tickets) -> None:
    ticket = tickets.issue("u1", NOW)

    assert tickets.redeem(ticket.secret, NOW + TICKET_LIFETIME) is not None
    assert ticket.expires_at - NOW <= TICKET_LIFETIME + timedelta(seconds=1)


def test_open_tickets_of_a_user_are_limited_also_when_many_are_issued_at_once(
    tickets: Tickets, tickets_table: Table
) -> None:
    def issue(_: int) -> str | None:
        try:
            return tickets.issue("u1", NOW).secret
        except TooManyTicketsError:
            return None

    with ThreadPoolExecutor(16) as pool:
        issued = [one for one in pool.map(issue, range(100)) if one]

    assert len(issued) == MAX_OPEN_TICKETS
    assert len(tickets_table.scan()["Items"]) == MAX_OPEN_TICKETS + 1
    assert tickets.redeem(issued[0], NOW)
    assert [issue(0) is None, issue(0) is None] == [False, True]
    assert tickets.issue("u1", NOW + 2 * TICKET_LIFETIME)
    assert tickets.issue("u2", NOW)


def test_item_that_counts_a_users_tickets_is_not_a_ticket(tickets: Tickets) -> None:
    user_id = "u" * (len(tickets.issue("u1", NOW).secret) - len("user:"))
    tickets.issue(user_id, NOW)

    assert tickets.redeem(f"user:{user_id}", NOW) is None


def test_api_refuses_further_tickets_with_429(api: Client) -> None:
    replies = [
        api.send("POST", "/api/realtime/ticket", user("u1")) for _ in range(MAX_OPEN_TICKETS + 1)
    ]

    assert [one.status for one in replies] == [201] * MAX_OPEN_TICKETS + [429]
    assert (replies[-1].code, replies[-1].headers["Retry-After"]) == ("too_many_tickets", "60")


def test_concurrent_redeeming_succeeds_once(tickets: Tickets) -> None:
    ticket = tickets.issue("u1", NOW)

    with ThreadPoolExecutor(16) as pool:
        redeemed = pool.map(lambda _: tickets.redeem(ticket.secret, NOW), range(16))

    assert sum(one is not None for one in redeemed) == 1


@pytest.mark.parametrize("secret", ["", "x", "x" * 43, "x" * 4000, "票" * 43])
def test_other_text_is_refused(tickets: Tickets, secret: str) -> None:
    assert tickets.redeem(secret, NOW) is None


def test_api_issues_a_ticket_for_the_caller(api: Client, tickets: Tickets) -> None:
    reply = api.send("POST", "/api/realtime/ticket", user("u1"))

    assert reply.status == 201
    assert set(reply.body) == {"ticket", "expiresAt"}
    assert reply.headers["Cache-Control"] == "no-store"
    now = datetime.now(UTC)
    assert now < datetime.fromisoformat(reply.body["expiresAt"]) <= now + timedelta(seconds=61)
    assert (tickets.redeem(reply.body["ticket"], now) or ("",))[0] == "u1"


def test_api_issues_a_ticket_for_an_administrator(api: Client, tickets: Tickets) -> None:
    ticket = api.send("POST", "/api/realtime/ticket", ADMIN).body["ticket"]

    assert (tickets.redeem(ticket, datetime.now(UTC)) or ("",))[0] == ADMIN["sub"]


def test_tickets_are_unique_and_long_enough(api: Client) -> None:
    replies = [api.send("POST", "/api/realtime/ticket", user("u1")) for _ in range(20)]

    assert len({reply.body["ticket"] for reply in replies}) == 20
    assert min(len(reply.body["ticket"]) for reply in replies) * 6 > 128


def test_without_dynamodb_the_api_responds_503(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")

    reply = api.send("POST", "/api/realtime/ticket", user("u1"))

    assert (reply.status, reply.code) == (503, "tickets_unavailable")
