"""The commands of ``scheduler-ops``."""

from __future__ import annotations

import typer

from ops.commands import brake, dead_letters, publish, token, watch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Operate CloudPhone Scheduler. Exit codes: 0 done, 1 not done, 2 wrong input.",
)

app.command("publish")(publish.command)
app.command("token")(token.command)
app.command("watch")(watch.command)
app.add_typer(brake.app, name="brake")
app.add_typer(dead_letters.app, name="dead-letters")
