"""``python -m local``: runs the whole platform on this machine."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local import LocalError, background
from local.paths import StateDir
from local.processes import AlreadyRunningError, running_supervisor
from local.progress import ProgressDisplay
from local.servers import programs
from scheduler.settings import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_RUNNING: Final = 3
"""Exit code of ``status`` when nothing runs, as for init scripts (Linux Standard Base)."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they contain passwords
    help="Run the whole CloudPhone Scheduler on this machine. "
    "Set DATABASE_URL or RABBITMQ_URL to use servers of your own instead of private ones, "
    "and CLOUDPHONE_STATE_DIR to use another folder than .local.",
)


@app.command()
def run(
    window: Annotated[
        float,
        typer.Option(
            envvar="CLOUDPHONE_BATCH_WINDOW",
            min=0,
            help="Batching window of the event source mappings, in seconds.",
        ),
    ] = 0.5,
    shards: Annotated[
        int, typer.Option(envvar="SHARDS", min=1, max=MAX_SHARDS, help="Queues per event.")
    ] = 1,
) -> None:
    """Start the platform in the foreground; Ctrl-C stops it."""
    from local import supervisor  # noqa: PLC0415 - takes a second, and only this command needs it

    with _handled_errors() as (state, display):
        supervisor.run(state, display, window, shards)


@app.command()
def up() -> None:
    """Start the platform in the background and return when it is ready."""
    with _handled_errors() as (state, display):
        background.up(state, display)


@app.command()
def down() -> None:
    """Stop the platform, including servers that a killed run left behind."""
    with _handled_errors() as (state, display):
        background.down(state, display)


@app.command()
def status() -> None:
    """Print whether the platform is running, and its addresses. Exit code 3: not running."""
    with _handled_errors() as (state, display):
        if not running_supervisor(state.lock):
            display.print_line(
                "CloudPhone Scheduler is not running; start it with make run or make up"
            )
            raise typer.Exit(NOT_RUNNING)
        background.print_status(state, display)


@app.command("install")
def install_servers(*, browser: bool = False) -> None:
    """Install MariaDB and RabbitMQ if they are missing; with --browser also Chromium for tests."""
    wanted = programs.SERVERS | (programs.BROWSER if browser else {})
    with _handled_errors() as (state, display), display:
        state.create()
        programs.ensure_installed(wanted, display, state.path / "apt.log")


@app.command()
def clean() -> None:
    """Delete all data of the local platform."""
    with _handled_errors() as (state, display):
        background.clean(state, display)


@contextmanager
def _handled_errors() -> Iterator[tuple[StateDir, ProgressDisplay]]:
    """Print errors that the user can fix in one line, and exit with code 1."""
    state, display = StateDir.default(), ProgressDisplay()
    try:
        yield state, display
    except AlreadyRunningError:
        background.print_status(state, display)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
