"""``scheduler-ops dead-letters``: a module per command."""

from __future__ import annotations

import typer

from ops.commands.dead_letters.discard import discard
from ops.commands.dead_letters.edit import edit
from ops.commands.dead_letters.list import list_letters
from ops.commands.dead_letters.replay import replay
from ops.commands.dead_letters.show import show

app = typer.Typer(no_args_is_help=True, help="List, show, correct, replay or discard dead letters.")

app.command("list")(list_letters)
app.command("show")(show)
app.command("replay")(replay)
app.command("edit")(edit)
app.command("discard")(discard)
