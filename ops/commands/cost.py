"""``scheduler-ops cost``: estimates what a deployment costs a month."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Group
from rich.table import Table

from operations.errors import InvalidInputError
from operations.suggestions import hint
from ops.costs import SIZES, CostItem, Traffic
from ops.costs import cost as calculate
from ops.options import JsonOption  # noqa: TC001 - Typer reads it at run time
from ops.prices import AS_OF, PRICES
from ops.terminal import handled_errors, print_result


def cost(  # noqa: PLR0913 - each is an option
    *,
    events: Annotated[
        float, typer.Option("--events-per-second", min=0, help="Events of all types, on average.")
    ],
    users: Annotated[int, typer.Option(min=0, help="Users whose client is connected.")],
    devices: Annotated[int, typer.Option(min=0, help="Cloud phones.")] = 0,
    frames: Annotated[
        float | None,
        typer.Option("--frames-per-second", min=0, help="Pushed notifications. Default: events."),
    ] = None,
    requests: Annotated[
        float, typer.Option("--requests-per-second", min=0, help="Requests to the HTTP API.")
    ] = 0,
    emails: Annotated[int, typer.Option("--emails-per-month", min=0, help="E-mails by SES.")] = 0,
    texts: Annotated[
        int, typer.Option("--texts-per-month", min=0, help="Text messages by SNS.")
    ] = 0,
    environment: Annotated[str, typer.Option(help="dev or prod, as in samconfig.toml.")] = "dev",
    region: Annotated[str, typer.Option(help="A region of ops/prices.py.")] = "us-east-1",
    as_json: JsonOption = False,
) -> None:
    """Estimate what a deployment costs a month, in US dollars.

    Free tiers, taxes, support and traffic to the internet are not counted. The prices are in
    ops/prices.py, with their date and sources.
    """
    with handled_errors(as_json=as_json):
        for name, given, known in (
            ("prices of the region", region, PRICES),
            ("environment", environment, SIZES),
        ):
            if given not in known:
                raise InvalidInputError(f"no {name} {given}: {hint(given, known)}")
        pushed = events if frames is None else frames
        traffic = Traffic(events, users, devices, pushed, requests, emails, texts)
        items = calculate(traffic, environment, PRICES[region])
        total = sum(item.dollars for item in items)
        data = {
            "region": region,
            "environment": environment,
            "prices": AS_OF,
            "items": {item.name: round(item.dollars, 2) for item in items},
            "total": round(total, 2),
        }
        note = f"US dollars a month, {environment} in {region}; prices of {AS_OF}."
        print_result(Group(_table(items, total), "", note), data, as_json=as_json)


def _table(items: list[CostItem], total: float) -> Table:
    table = Table("Item", box=None, pad_edge=False)
    table.add_column("Calculation", overflow="fold")
    table.add_column("$", justify="right", no_wrap=True)
    for item in items:
        table.add_row(item.name, item.calculation, f"{item.dollars:,.2f}")
    table.add_row("total", "", f"{total:,.2f}", style="bold")
    return table
