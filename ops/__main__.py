"""``python -m ops``: the commands of ``scheduler-ops``."""

from __future__ import annotations

from typing import Annotated

import typer

from ops.commands import (
    brake,
    console,
    cost,
    dead_letters,
    erase,
    events,
    outbox,
    publish,
    show,
    smoke,
    timeline,
    token,
    validate,
    watch,
)
from scheduler.version import VERSION

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Operate CloudPhone Scheduler. Exit codes: 0 success, 1 failure, 2 invalid input.",
)


def _print_version(given: bool) -> None:  # noqa: FBT001 - the signature of a Typer callback
    if given:
        print(VERSION)
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    *,
    stack: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The CloudFormation stack, as --stack of a command."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback prints it and exits
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    context.obj = stack


app.command("console")(console.console)
app.command("cost")(cost.cost)
app.command("events")(events.events)
app.command("outbox")(outbox.outbox)
app.command("publish")(publish.publish)
app.command("smoke")(smoke.smoke)
app.command("timeline")(timeline.timeline)
app.command("token")(token.print_token)
app.command("validate")(validate.validate)
app.command("watch")(watch.watch)
app.add_typer(brake.app, name="brake")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(erase.app, name="erase")
app.add_typer(show.app, name="show")


def main() -> None:
    """Run the command line."""
    app(prog_name="scheduler-ops")


if __name__ == "__main__":
    main()
