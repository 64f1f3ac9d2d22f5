"""``scheduler-ops dead-letters discard``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import options
from ops.commands.dead_letters import selecting
from ops.dead_letters.backup import Backup, discard_letters
from ops.dead_letters.groups import grouped
from ops.dead_letters.selection import Filter
from ops.dead_letters.tables import groups_table
from ops.errors import OpsError, with_progress_in_errors
from ops.terminal import console, handled_errors, print_result

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from ops.dead_letters.groups import LetterGroup
    from ops.dead_letters.letter import DeadLetter
    from ops.dead_letters.queue import TakenLetter


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
    broker: options.BrokerUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Remove dead letters after copying them to a file.

    It asks for confirmation first. The command may be killed at any time: each letter is in the
    queue, in the file, or in both. To process discarded letters after all: dead-letters replay
    --from-file.
    """
    now = datetime.now(UTC)
    with handled_errors(as_json=as_json):
        chosen = Filter(selecting.selection(queue, error, ids, older_than, newer_than, now))
        url = options.broker_url(broker)
        seen, groups = _look(url, chosen)
        chosen.require_match()
        path = backup or Path(f"dead-letters-{now:%Y%m%dT%H%M%SZ}.jsonl")
        discarded = 0
        if seen and not dry_run:
            if not yes:
                console(stderr=True).print(groups_table(groups, now))
                _ask(chosen.matched, path)
            discarded = _discard(url, seen, path)
        done = f"Would discard {chosen.matched}" if dry_run else f"Discarded {discarded}"
        print_result(
            f"{done} of {chosen.total} dead letters"
            + (f"; the copies are in {path}." if discarded else "."),
            {
                "dryRun": dry_run,
                "total": chosen.total,
                "matched": chosen.matched,
                "discarded": discarded,
                "backup": str(path) if discarded else None,
            },
            as_json=as_json,
        )


def _look(url: str, chosen: Filter) -> tuple[set[bytes], list[LetterGroup]]:
    """Return the fingerprints of the selected letters, and their groups."""
    seen: set[bytes] = set()

    def remembered(letters: Iterable[TakenLetter]) -> Iterator[DeadLetter]:
        for one in letters:
            seen.add(one.letter.fingerprint)
            yield one.letter

    with selecting.current_letters(url) as letters:
        return seen, grouped(remembered(chosen.apply(letters)))


def _ask(count: int, path: Path) -> None:
    try:
        if typer.confirm(f"Discard {count} dead letters and keep copies in {path}?", err=True):
            return
    except typer.Abort:
        pass
    raise OpsError("nothing was discarded; answer y to discard, or add --yes")


def _discard(url: str, seen: Container[bytes], path: Path) -> int:
    """Discard the letters that were shown, but none that has arrived or failed again since."""
    removed = 0

    def progress() -> str:
        return f"{removed} discarded before; the copies are in {path}" if removed else ""

    with (
        with_progress_in_errors(progress),
        selecting.current_letters(url, "Discarding") as letters,
        Backup(path) as backup,
    ):
        shown = (one for one in letters if one.letter.fingerprint in seen)
        for count in discard_letters(shown, backup):
            removed += count
    return removed
