"""``scheduler-ops outbox``: how late notifications and outgoing events are, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.table import Table
from rich.text import Text

from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.options import connects
from ops.terminal import duration, print_result, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

_LATE_SECONDS: Final = 60


@connects
def outbox(*, operations: Operations, as_json: bool) -> None:
    """Show how late notifications and outgoing events are, and what providers answer.

    The last lines name the next steps.
    """
    found = operations.call("outbox", {})
    print_result(_view(found), found, as_json=as_json)


def _view(found: dict[str, Any]) -> Group:
    table = Table("Channel", box=None, pad_edge=False)
    table.add_column("Pending", justify="right")
    table.add_column("Tried before", justify="right")
    table.add_column("Last error", overflow="fold")
    for channel, one in found["channels"].items():
        error = Text(printable(one["lastError"] or ""))
        table.add_row(channel, _count(one), str(one["retried"]), error)
    steps = list(_steps(found)) or ["nothing; notifications and events are sent without delay"]
    return Group(
        f"Oldest unsent notification: {_age(found['oldestNotificationSeconds'])}",
        f"Oldest unpublished event:   {_age(found['oldestEventSeconds'])}",
        *(("", table, "") if found["channels"] else ()),
        *(Text(printable(f"Next: {step}")) for step in steps),
    )


def _count(channel: dict[str, Any]) -> str:
    return f"at least {channel['pending']}" if channel["more"] else str(channel["pending"])


def _age(seconds: float) -> str:
    return duration(seconds) if seconds else "none"


def _steps(found: dict[str, Any]) -> Iterator[str]:
    away = found["dispatcherIsLate"]
    if away:
        yield "the dispatcher takes nothing: see its log and schedule (runbook: Dispatcher away)"
    for channel, one in found["channels"].items():
        if one["retried"]:
            yield f"{channel} is refused or slow, and tried again: see the error above"
    if found["oldestEventSeconds"] >= _LATE_SECONDS and not away:  # it publishes them, too
        yield "events wait for the broker: scheduler-ops watch (runbook: Oldest unpublished event)"
