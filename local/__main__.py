"""``python -m local``: the whole platform on this machine."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Final

import typer

from local import background, install, lock
from local.errors import LocalError
from local.paths import StateDir
from local.progress import Steps
from local.servers import binaries
from scheduler.messaging.topology import MAX_SHARDS

if TYPE_CHECKING:
    from collections.abc import Iterator

NOT_RUNNING: Final = 3
"""Exit code of ``status`` when nothing runs, as the init scripts of the LSB have it."""

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_show_locals=False,  # they hold passwords
    help="Run the whole CloudPhone Scheduler on this machine. "
    "DATABASE_URL and RABBITMQ_URL name servers to use instead of private ones; "
    "CLOUDPHONE_STATE_DIR another folder than .local.",
)


@app.command()
def run(
    window: Annotated[
        float,
        typer.Option(
            envvar="CLOUDPHONE_BATCH_WINDOW",
            min=0,
            help="Seconds for which a mapping collects messages before it invokes.",
        ),
    ] = 0.5,
    shards: Annotated[
        int, typer.Option(envvar="SHARDS", min=1, max=MAX_SHARDS, help="Queues per event.")
    ] = 1,
) -> None:
    """Start everything and stay in the foreground; Ctrl-C stops all of it."""
    from local import supervisor  # noqa: PLC0415 - takes a second, and only this command needs it

    with _outcome() as (state, steps):
        supervisor.run(state, steps, window, shards)


@app.command()
def up() -> None:
    """Start everything in the background; returns when it is ready."""
    with _outcome() as (state, steps):
        background.up(state, steps)


@app.command()
def down() -> None:
    """Stop everything, also what a killed run left behind."""
    with _outcome() as (state, steps):
        background.down(state, steps)


@app.command()
def status() -> None:
    """Tell whether the platform is running, and where; exit code 3 when it is not."""
    with _outcome() as (state, steps):
        if not lock.holder(state.lock):
            steps.say("CloudPhone Scheduler is not running; make run or make up starts it")
            raise typer.Exit(NOT_RUNNING)
        background.tell_running(state, steps)


@app.command("install")
def install_servers(*, browser: bool = False) -> None:
    """Install mariadbd and rabbitmq-server where they are missing, for tests also a browser."""
    programs = binaries.SERVERS | (binaries.BROWSER if browser else {})
    with _outcome() as (state, steps), steps:
        state.create()
        install.ensure(programs, steps, state.path / "apt.log")


@app.command()
def clean() -> None:
    """Delete all data of the local platform."""
    with _outcome() as (state, steps):
        background.clean(state, steps)


@contextmanager
def _outcome() -> Iterator[tuple[StateDir, Steps]]:
    """Turn what a person can act on into one line and an exit code."""
    state, steps = StateDir.default(), Steps()
    try:
        yield state, steps
    except lock.HeldError:
        background.tell_running(state, steps)
    except LocalError as error:
        print(f"error: {error}", file=sys.stderr)
        raise typer.Exit(1) from None


if __name__ == "__main__":
    app()
