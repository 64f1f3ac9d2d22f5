"""``scheduler-ops dead-letters list``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rich.console import Group as RichGroup

from ops.commands.dead_letters import selecting
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.long_queue import read_groups
from ops.options import connects
from ops.tables import groups_table
from ops.terminal import print_result, printable, reading_letters


@connects
def list_letters(
    *,
    queue: selecting.QueueOption = None,
    error: selecting.ErrorOption = None,
    ids: selecting.IdOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    operations: Operations,
    as_json: bool,
) -> None:
    """Count dead letters by original queue and error, with the age of the first and the last.

    Errors that differ only in ids and numbers are counted together.
    """
    chosen = selecting.selection(queue, error, ids, older_than, newer_than)
    with reading_letters() as progress:
        found = read_groups(operations, chosen, progress)
    selecting.note(found)
    groups, summary = found["groups"], _summary(found)
    table = groups_table(groups, datetime.now(UTC))
    text = RichGroup(table, summary) if groups else summary
    data = {name: found[name] for name in ("total", "matched", "groups", "readers", "held")}
    print_result(text, data, as_json=as_json)


def _summary(found: dict[str, Any]) -> str:
    total, matched = found["total"], found["matched"]
    if total and not matched:
        return f"{selecting.no_match_message(found)}."
    selected = "" if matched == total else f", {matched} of them selected"
    left_off = found["groupsLeftOff"]
    more = f"; {left_off} more groups are not listed" if left_off else ""
    others = sorted({one["queue"] for one in found["groups"] if not one.get("hasWorkQueue", True)})
    unknown = (
        f" Those of {printable(', '.join(others))} belong to no work queue: replay them with --to"
        " EVENT, or discard them."
        if others
        else ""
    )
    return f"{total} dead letter{'' if total == 1 else 's'}{selected}{more}.{unknown}"
