"""``scheduler-ops dead-letters``: one module per command."""

from __future__ import annotations

import typer

from ops.commands.dead_letters import discard, list, replay, show  # noqa: A004 - named as its command

app = typer.Typer(
    no_args_is_help=True,
    help="Look at dead letters, send them back to work, or discard them.",
)

app.command("list")(list.command)
app.command("show")(show.command)
app.command("replay")(replay.command)
app.command("discard")(discard.command)
