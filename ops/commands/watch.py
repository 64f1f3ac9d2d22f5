"""``scheduler-ops watch``: shows queues and outcomes, and updates them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

from operations.errors import InvalidInputError, OpsError
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.snapshot import queue_view
from ops.terminal import console, print_result, printable
from scheduler.settings import MAX_SHARDS


@connects
def watch(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the figures once and exit.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between updates.")] = 2.0,
    shards: Annotated[
        int | None,
        typer.Option(
            envvar="SHARDS",
            min=1,
            max=MAX_SHARDS,
            help="Queues per event. Default: the number of the stack or local platform, else 1.",
        ),
    ] = None,
    operations: Operations,
    as_json: bool,
) -> None:
    """Show the depths of the queues, their consumers and rates, and the outcomes of messages.

    Outcomes are only available for the local platform, rates and messages in work also for a stack.
    With --json each update is printed as one line. Stop with Ctrl-C.
    """
    arguments = {"shards": shards}
    with suppress(KeyboardInterrupt):
        if not once and not as_json:
            _show(operations, arguments, interval)
        while True:
            found = operations.call("queues", arguments)
            names = ("at", "queues", "outcomes")
            data = {name: found[name] for name in names}
            print_result(queue_view(found, console()), data, as_json=as_json)
            if once:
                return
            time.sleep(interval)


def _show(operations: Operations, arguments: dict[str, Any], interval: float) -> None:
    """Keep a table up to date, and retry if the deployment cannot be reached."""
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                found = operations.call("queues", arguments)
                live.update(queue_view(found, live.console), refresh=True)
            except InvalidInputError:
                raise
            except OpsError as error:
                live.update(Text(printable(f"{error}; retrying"), "bold red"), refresh=True)
            time.sleep(interval)
