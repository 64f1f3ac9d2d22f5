"""``python -m tests.integration.dispatch.kills``: kill the dispatcher under load."""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from local.aws import create_resources
from local.ports import free_port
from local.servers.mariadb import MariaDB
from local.servers.moto import Moto
from scheduler.database.migrate import migrate
from scheduler.settings import DatabaseSettings
from tests.integration.dispatch.kills.drill import Plan, run


def main(
    kills: Annotated[int, typer.Option(help="Number of SIGKILLs.")] = 100,
    rate: Annotated[float, typer.Option(help="Notifications per second, 3 deliveries each.")] = 10,
    seed: Annotated[int, typer.Option(help="Seed of the times of the kills.")] = 1,
) -> None:
    """Kill the dispatcher again and again under load; print lost and doubled deliveries."""
    folder = Path(tempfile.mkdtemp(prefix="cloudphone-"))
    folder.chmod(0o711)  # the servers run as other users
    logs = folder / "logs"
    logs.mkdir()
    database = MariaDB(folder / "mariadb", logs, free_port())
    aws = Moto(folder / "moto", logs, free_port())
    try:
        for server in (database, aws):
            server.start()
        migrate(DatabaseSettings.model_validate({"DATABASE_URL": database.url}))
        create_resources(aws.url)
        with Progress() as progress:
            task = progress.add_task("Killing the dispatcher", total=kills)
            plan = Plan(kills, rate, seed)
            report = run(
                plan, database.url, aws.url, lambda done: progress.update(task, completed=done)
            )
    finally:
        for server in (database, aws):
            server.kill()
        shutil.rmtree(folder, ignore_errors=True)
    print(*report.lines(), sep="\n")
    if report.lost or report.unfinished or report.unexplained:
        sys.exit(1)


if __name__ == "__main__":
    typer.run(main)
