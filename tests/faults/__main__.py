"""``python -m tests.faults``: run a drill on servers of its own and print the account."""

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
from tests.faults.figures import table
from tests.faults.outage import run_outage
from tests.faults.outage import table as outage_table
from tests.faults.plan import Plan, Servers

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.drill import Drill

_EVENTS_PER_KILL: Final = 20
_KILLS_PER_OUTAGE: Final = 50

# Ended like by Ctrl-C, so that the servers go too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

app = typer.Typer(add_completion=False, pretty_exceptions_show_locals=False)


@app.command()
def drill(
    kills: Annotated[int, typer.Option(help="SIGKILLs of the function.")] = 50,
    events: Annotated[
        int | None, typer.Option(help="Different events; default 20 for each kill.")
    ] = None,
    broker_kills: Annotated[
        int | None,
        typer.Option(help="SIGKILLs of RabbitMQ; default one for 50 kills, at least one."),
    ] = None,
    database_kills: Annotated[
        int | None,
        typer.Option(help="SIGKILLs of MariaDB; default one for 50 kills, at least one."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides everything.")] = 1,
    without_processed_ids: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--without-processed-ids", help="The negative control.")
    ] = False,
) -> None:
    """Publish events while function, broker and database are killed; print what came of it."""
    plan = Plan(
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
    # A valid event may only be given up as one whose consumer was killed again and again.
    given_up = {done.dead[key] for key in done.first.astray if key in done.dead} - {KILLED}
    if done.final.lost or done.final.doubled or done.final.astray or given_up:
        sys.exit(1)


@app.command()
def outage(
    seconds: Annotated[float, typer.Option(help="How long the database is away.")] = 10.0,
    retry_delay: Annotated[float, typer.Option(help="Seconds; 60 in production.")] = 1.0,
    events: Annotated[int, typer.Option(help="Different events.")] = 1000,
    seed: Annotated[int, typer.Option(help="Decides everything.")] = 1,
) -> None:
    """Take the database away while events are published; print what came of it."""
    plan = Plan(seed=seed, events=events, retry_delay_ms=round(retry_delay * 1000))
    with _folder() as folder, _servers(folder) as servers:
        done = run_outage(plan, servers, _records(folder), seconds)
    Console(width=120).print(outage_table(done))
    if done.balance.lost or done.balance.doubled or done.dead:
        sys.exit(1)


def _outages(kills: int) -> int:
    return max(1, kills // _KILLS_PER_OUTAGE)


def _run(plan: Plan, servers: Servers, folder: Path) -> Drill:
    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns) as progress:
        bar = progress.add_task("publishing", total=1.0)
        return run(
            plan,
            servers,
            _records(folder),
            lambda share, deaths: progress.update(
                bar, completed=share, description=f"{share:.0%} published, {deaths} kills"
            ),
        )


def _records(folder: Path) -> Path:
    records = folder / "drill"
    records.mkdir()
    logging.basicConfig(filename=records / "drill.log", level=logging.WARNING)
    return records


@contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder that other accounts may pass; kept when something goes wrong in it."""
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-faults-"))
    folder.chmod(0o711)
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
