"""Runs a fault drill on temporary servers and prints the result: ``python -m tests.faults``."""

from __future__ import annotations

import logging
import math
import shutil
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from local.aws import create_resources
from local.ports import free_port
from local.servers.mariadb import FAST_OPTIONS, MariaDB
from local.servers.moto import Moto
from local.servers.rabbitmq import RabbitMQ, RabbitPorts
from tests.faults.controls import controls_table, run_control
from tests.faults.drill import is_clean, run
from tests.faults.drill_plan import DrillPlan, Servers, Weakness
from tests.faults.figures import table
from tests.faults.outage import run_outage
from tests.faults.outage import table as outage_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.drill import DrillReport

_EVENTS_PER_KILL: Final = 20
_EVENTS_PER_FAULT: Final = 10
_KILLS_PER_OUTAGE: Final = 50

# As on Ctrl-C, so that the servers are stopped too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def drill(  # noqa: PLR0913, PLR0917 - the options of a command
    kills: Annotated[int, typer.Option(help="SIGKILLs of the function.")] = 50,
    network: Annotated[
        int, typer.Option(help="Faults of the function's connections: delays, cuts, resets, …")
    ] = 0,
    events: Annotated[
        int | None, typer.Option(help="Distinct events; by default 20 per kill, 10 per fault.")
    ] = None,
    broker_kills: Annotated[
        int | None, typer.Option(help="SIGKILLs of RabbitMQ; by default one per 50 kills.")
    ] = None,
    database_kills: Annotated[
        int | None, typer.Option(help="SIGKILLs of MariaDB; by default one per 50 kills.")
    ] = None,
    shards: Annotated[int, typer.Option(help="Queues per event.")] = 1,
    seed: Annotated[int, typer.Option(help="Determines all random choices.")] = 1,
    weakness: Annotated[
        Weakness | None, typer.Option(help="What to take away: a negative control.")
    ] = None,
) -> None:
    """Publish events while function, servers and network fail, and print the result."""
    plan = DrillPlan(
        seed=seed,
        events=_events(kills, network) if events is None else events,
        kills=kills,
        network_faults=network,
        broker_kills=_outages(kills) if broker_kills is None else broker_kills,
        database_kills=_outages(kills) if database_kills is None else database_kills,
        shards=shards,
        weakness=weakness,
    )
    with _folder() as folder, _servers(folder) as servers:
        done = _run(plan, servers, folder)
    Console(width=120).print(table(done))
    if not is_clean(done):
        sys.exit(1)


@app.command()
def controls(
    seed: Annotated[int, typer.Option(help="Determines all random choices.")] = 1,
) -> None:
    """Run a short drill of each weakened function; each must be reported."""
    with _folder() as folder, _servers(folder) as servers:
        verdicts = [run_control(one, servers, folder / one, seed) for one in Weakness]
    Console(width=120).print(controls_table(verdicts))
    if not all(verdict.reported for verdict in verdicts):
        sys.exit(1)


@app.command()
def outage(
    seconds: Annotated[float, typer.Option(help="Duration of the outage in seconds.")] = 10.0,
    retry_delay: Annotated[
        float, typer.Option(help="Retry delay in seconds; 60 in production.")
    ] = 1.0,
    events: Annotated[int, typer.Option(help="Distinct events.")] = 1000,
    seed: Annotated[int, typer.Option(help="Determines all random choices.")] = 1,
) -> None:
    """Publish events during a database outage, and print the result."""
    plan = DrillPlan(seed=seed, events=events, retry_delay_ms=round(retry_delay * 1000))
    with _folder() as folder, _servers(folder) as servers:
        done = run_outage(plan, servers, _records(folder), seconds)
    Console(width=120).print(outage_table(done))
    if not done.balance.is_perfect or done.dead:
        sys.exit(1)


def _events(kills: int, faults: int) -> int:
    return max(_EVENTS_PER_KILL * kills, _EVENTS_PER_FAULT * faults)


def _outages(kills: int) -> int:
    return math.ceil(kills / _KILLS_PER_OUTAGE)


def _run(plan: DrillPlan, servers: Servers, folder: Path) -> DrillReport:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("publishing", total=1.0)
        return run(
            plan,
            servers,
            _records(folder),
            lambda share, faults: progress.update(
                bar, completed=share, description=f"{share:.0%} published, {faults} faults"
            ),
        )


def _records(folder: Path) -> Path:
    records = folder / "drill"
    records.mkdir()
    logging.basicConfig(filename=records / "drill.log", level=logging.WARNING)
    return records


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a temporary folder; it is kept if an error occurs."""
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-faults-"))
    folder.chmod(0o711)  # the servers run under accounts of their own
    try:
        yield folder
    except BaseException:
        print(f"records and logs are kept in {folder}", file=sys.stderr)
        raise
    shutil.rmtree(folder)


@contextmanager
def _servers(folder: Path) -> Iterator[Servers]:
    logs = folder / "logs"
    mariadb = MariaDB(folder / "mariadb", logs, free_port(), FAST_OPTIONS)
    ports = RabbitPorts(free_port(), free_port(), free_port(), free_port())
    rabbitmq = RabbitMQ(folder / "rabbitmq", logs, ports)
    moto = Moto(folder / "moto", logs, free_port())
    started = (rabbitmq, mariadb, moto)
    try:
        for server in started:
            server.start()
        create_resources(moto.url)
        yield Servers(mariadb, rabbitmq, moto.url)
    finally:
        for server in started:
            server.kill()


if __name__ == "__main__":
    app()
