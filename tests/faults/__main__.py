"""Runs a fault drill on temporary servers and prints the account: ``python -m tests.faults``."""

from __future__ import annotations

import logging
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
from scheduler.pipeline.redelivery import KILLED
from tests.faults.drill import run
from tests.faults.drill_plan import DrillPlan, Servers
from tests.faults.figures import table
from tests.faults.outage import run_outage
from tests.faults.outage import table as outage_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.drill import DrillReport

_EVENTS_PER_KILL: Final = 20
_KILLS_PER_OUTAGE: Final = 50

# As on Ctrl-C, so that the servers are stopped too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def drill(
    kills: Annotated[int, typer.Option(help="SIGKILLs of the function.")] = 50,
    events: Annotated[
        int | None, typer.Option(help="Distinct events; by default 20 per kill.")
    ] = None,
    broker_kills: Annotated[
        int | None,
        typer.Option(help="SIGKILLs of RabbitMQ; by default one per 50 kills, at least one."),
    ] = None,
    database_kills: Annotated[
        int | None,
        typer.Option(help="SIGKILLs of MariaDB; by default one per 50 kills, at least one."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Determines all random choices.")] = 1,
    without_processed_ids: Annotated[  # noqa: FBT002 - a flag of the command line
        bool,
        typer.Option(
            "--without-processed-ids",
            help="The negative control.",
        ),
    ] = False,
) -> None:
    """Publish events while function, broker and database are killed, and print the account."""
    plan = DrillPlan(
        seed=seed,
        events=_EVENTS_PER_KILL * kills if events is None else events,
        kills=kills,
        broker_kills=_outages(kills) if broker_kills is None else broker_kills,
        database_kills=_outages(kills) if database_kills is None else database_kills,
        forgetful=without_processed_ids,
    )
    with _folder() as folder, _servers(folder) as servers:
        done = _run(plan, servers, folder)
    Console(width=120).print(table(done))
    # A valid event may be dead-lettered only because its consumer was killed repeatedly.
    unexpected = {done.dead[key] for key in done.first.wrongly_rejected if key in done.dead} - {
        KILLED
    }
    if done.final.lost or done.final.doubled or done.final.wrongly_rejected or unexpected:
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
    """Publish events during a database outage, and print the account."""
    plan = DrillPlan(seed=seed, events=events, retry_delay_ms=round(retry_delay * 1000))
    with _folder() as folder, _servers(folder) as servers:
        done = run_outage(plan, servers, _records(folder), seconds)
    Console(width=120).print(outage_table(done))
    if done.balance.lost or done.balance.doubled or done.dead:
        sys.exit(1)


def _outages(kills: int) -> int:
    return max(1, kills // _KILLS_PER_OUTAGE)


def _run(plan: DrillPlan, servers: Servers, folder: Path) -> DrillReport:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("publishing", total=1.0)
        return run(
            plan,
            servers,
            _records(folder),
            lambda share, function_kills: progress.update(
                bar, completed=share, description=f"{share:.0%} published, {function_kills} kills"
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


app()
