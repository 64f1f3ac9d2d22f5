"""``scheduler-ops watch``: queues and outcomes, again and again."""

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
from ops.watching.snapshot import Snapshot
from scheduler.messaging.topology import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator


def command(
    *,
    once: Annotated[bool, typer.Option("--once", help="Print the figures once and end.")] = False,
    interval: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks.")] = 2.0,
    shards: Annotated[
        int | None,
        typer.Option(
            envvar="SHARDS",
            min=1,
            max=MAX_SHARDS,
            help="Queues per event. Default: as many as the local platform has, else 1.",
        ),
    ] = None,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Show how many messages wait in each queue, and how many ended in which way.

    How many are in work, and the outcomes, are known for the local platform only. With --json one
    line is printed each time. Ctrl-C ends it.
    """
    with options.outcome(as_json=as_json), suppress(KeyboardInterrupt):
        url = options.broker_url(broker)
        if once or as_json:
            for snapshot in _snapshots(url, interval, shards):
                options.say(snapshot.table(), snapshot.to_json(), as_json=as_json)
                if once:
                    return
        _show(url, interval, shards)


def _snapshots(url: str, interval: float, shards: int | None) -> Iterator[Snapshot]:
    endpoints = options.endpoints_of(url)
    with connected(url) as connection:
        while True:
            yield Snapshot.take(connection, endpoints, shards)
            connection.sleep(interval)


def _show(url: str, interval: float, shards: int | None) -> None:
    """Keep a table up to date; a broker that is away is waited for."""
    with Live(console=options.console(), auto_refresh=False) as live:
        while True:
            try:
                for snapshot in _snapshots(url, interval, shards):
                    live.update(snapshot.table(), refresh=True)
            except InvalidInputError:
                raise
            except OpsError as error:
                live.update(Text(f"{error}; trying again", "bold red"), refresh=True)
                time.sleep(interval)
