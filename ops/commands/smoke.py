"""``scheduler-ops smoke``: checks a deployment with a canary."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.table import Table
from rich.text import Text

from operations.errors import ExitCode
from ops.interface import Operations, calls
from ops.options import connects
from ops.terminal import console, print_result, printable

if TYPE_CHECKING:
    from rich.console import RenderableType


@connects
def smoke(
    *,
    gentle: Annotated[
        bool,
        typer.Option(
            "--gentle", help="Leave out what alarms watch: a failing batch and a dead letter."
        ),
    ] = False,
    operations: Operations,
    as_json: bool,
) -> None:
    """Check a deployment: send a canary through broker, functions, database and dispatcher.

    A canary is a device and a user that nobody else can get. Housekeeping deletes their rows an
    hour later, also if the command is killed; it can be run again at any time.

    Exit code: 0 all checks passed, 1 otherwise.
    """
    checks: list[dict[str, Any]] = []
    with Live(console=console(stderr=True), auto_refresh=False, transient=True) as live:
        for result in calls(operations, "smoke", {"thorough": not gentle}):
            checks += result["checks"]
            live.update(_table(checks), refresh=True)
    passed = all(one["passed"] for one in checks)
    data = {"canary": result["canary"], "passed": passed, "checks": checks}
    print_result(_table(checks), data, as_json=as_json)
    if not passed:
        raise typer.Exit(ExitCode.FAILED)


def _table(checks: list[dict[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False)
    table.add_column("Check")
    table.add_column("Result", no_wrap=True)
    table.add_column("s", justify="right", no_wrap=True)
    for one in checks:
        name = printable("\n".join(filter(None, (one["check"], one["detail"]))))
        table.add_row(name, _outcome(one["passed"]), f"{one['seconds']:.1f}")
    return table


def _outcome(passed: bool | None) -> Text:  # noqa: FBT001 - a value of JSON
    if passed is None:
        return Text("not checked", "dim")
    return Text("passed", "green") if passed else Text("failed", "bold red")
