"""``python -m ops``: the commands of ``scheduler-ops``."""

from __future__ import annotations

import typer

from ops.commands import brake, dead_letters, publish, token, watch

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    help="Operate CloudPhone Scheduler. Exit codes: 0 success, 1 failure, 2 invalid input.",
)

app.command("publish")(publish.publish)
app.command("token")(token.print_token)
app.command("watch")(watch.watch)
app.add_typer(brake.app, name="brake")
app.add_typer(dead_letters.app, name="dead-letters")

if __name__ == "__main__":
    app(prog_name="scheduler-ops")
