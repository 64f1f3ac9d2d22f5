"""``scheduler-ops dead-letters discard``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from operations.errors import OpsError, with_progress_in_errors
from ops.backup import Backup
from ops.commands.dead_letters import selecting
from ops.interface import Operations  # noqa: TC001 - Typer reads it at run time
from ops.long_queue import Discarded, read_groups
from ops.long_queue import discard as discard_all
from ops.options import connects
from ops.tables import groups_table
from ops.terminal import console, counted, print_result, progress_bars, reading_letters

if TYPE_CHECKING:
    from collections.abc import Mapping

_HINT: Final = "nothing is lost, run the command again with another file"


@connects
def discard(  # noqa: PLR0913 - each is an option
    *,
    queue: selecting.QueueOption = None,
    error: selecting.ErrorOption = None,
    ids: selecting.IdOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    backup: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="New file for the copies. Default: dead-letters-<time>.jsonl"
        ),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    dry_run: selecting.DryRunOption = False,
    operations: Operations,
    as_json: bool,
) -> None:
    """Remove dead letters after copying them to a file.

    It asks for confirmation first. The command may be killed at any time: each letter is in the
    queue, in the file, or in both. To process discarded letters after all: dead-letters replay
    --from-file.
    """
    now = datetime.now(UTC)
    chosen = selecting.selection(queue, error, ids, older_than, newer_than)
    with reading_letters() as progress:
        found = read_groups(operations, chosen, progress)
    selecting.note(found)
    selecting.require_match(found)
    path = backup or Path(f"dead-letters-{now:%Y%m%dT%H%M%SZ}.jsonl")
    done, matched = Discarded(), found["matched"]
    if matched and not dry_run:
        if not yes:
            console(stderr=True).print(groups_table(found["groups"], now))
            _ask(matched, path)
        done = _discard(operations, chosen | {"until": found["at"]}, matched, path)
    selecting.note_unwritten(done.not_noted)
    discarded = done.removed
    text = f"Would discard {matched}" if dry_run else f"Discarded {discarded}"
    print_result(
        f"{text} of {found['total']} dead letters"
        + (f"; the copies are in {path}." if discarded else "."),
        {
            "dryRun": dry_run,
            "total": found["total"],
            "matched": matched,
            "discarded": discarded,
            "backup": str(path) if discarded else None,
        },
        as_json=as_json,
    )


def _ask(count: int, path: Path) -> None:
    try:
        if typer.confirm(
            f"Discard {counted(count, 'dead letter')} and keep copies in {path}?", err=True
        ):
            return
    except typer.Abort:
        pass
    raise OpsError("nothing was discarded; answer y to discard, or add --yes")


def _discard(
    operations: Operations, chosen: Mapping[str, Any], count: int, path: Path
) -> Discarded:
    """Store and remove letters; none that has arrived or failed again since."""
    done = Discarded()

    def progress() -> str:
        if not done.copied:
            return ""
        return f"{done.removed} discarded before, {done.copied} copied to {path}; {_HINT}"

    with (
        with_progress_in_errors(progress, "before any letter was discarded"),
        Backup(path) as backup,
        progress_bars() as bars,
    ):
        copying = bars.add_task("Copying", total=count)
        removing = bars.add_task("Discarding", total=count)
        for done in discard_all(operations, chosen, backup):
            bars.update(copying, completed=done.copied)
            bars.update(removing, completed=done.removed)
    return done
