"""``scheduler-ops watch``: shows queues and outcomes, and updates them."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

import typer
from rich.live import Live
from rich.text import Text

from ops import options
from ops.broker import connected
from ops.errors import InvalidInputError, OpsError
from ops.snapshot import QueueSnapshot
from ops.terminal import console, handled_errors, print_result, printable
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator


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
            help="Queues per event. Default: the number of the local platform, else 1.",
        ),
    ] = None,
    broker: options.BrokerUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Show the depths of the queues and the outcomes of messages.

    Messages in work and outcomes are only available for the local platform. With --json each update
    is printed as one line. Stop with Ctrl-C.
    """
    with handled_errors(as_json=as_json), suppress(KeyboardInterrupt):
        url = options.broker_url(broker)
        if once or as_json:
            for snapshot in _snapshots(url, interval, shards):
                print_result(snapshot.table(), snapshot.to_json(), as_json=as_json)
                if once:
                    return
        _show(url, interval, shards)


def _snapshots(url: str, interval: float, shards: int | None) -> Iterator[QueueSnapshot]:
    endpoints = options.local_endpoints(url)
    with connected(url) as connection:
        while True:
            yield QueueSnapshot.take(connection, endpoints, shards)
            connection.sleep(interval)


def _show(url: str, interval: float, shards: int | None) -> None:
    """Keep a table up to date, and reconnect if the broker cannot be reached."""
    with Live(console=console(), auto_refresh=False) as live:
        while True:
            try:
                for snapshot in _snapshots(url, interval, shards):
                    live.update(snapshot.table(), refresh=True)
            except InvalidInputError:
                raise
            except OpsError as error:
                live.update(Text(printable(f"{error}; retrying"), "bold red"), refresh=True)
                time.sleep(interval)
