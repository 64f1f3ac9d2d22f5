"""``scheduler-ops dead-letters discard``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ops import options
from ops.commands.dead_letters import filters
from ops.commands.dead_letters.letters import letters_of
from ops.dead_letters.backup import Backup
from ops.dead_letters.discard import discard
from ops.dead_letters.groups import grouped
from ops.dead_letters.selection import Sieve
from ops.dead_letters.tables import overview
from ops.errors import OpsError, telling_what_was_done

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator

    from ops.dead_letters.groups import Group
    from ops.dead_letters.letter import DeadLetter
    from ops.dead_letters.queue import Taken


def command(  # noqa: PLR0913 - each is an option
    *,
    queue: filters.Queues = None,
    error: filters.Error = None,
    ids: filters.Ids = None,
    older_than: filters.OlderThan = None,
    newer_than: filters.NewerThan = None,
    backup: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Where copies go. Default: dead-letters-<time>.jsonl"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    dry_run: filters.DryRun = False,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Remove dead letters for good, after asking, and after writing them to a file.

    It may be killed at any time: what is no longer in the queue is in the file, and
    replay --from-file sends it back to work.
    """
    now = datetime.now(UTC)
    with options.outcome(as_json=as_json):
        sieve = Sieve(filters.selection(queue, error, ids, older_than, newer_than, now))
        url = options.broker_url(broker)
        seen, groups = _look(url, sieve)
        sieve.require_match()
        path = backup or Path(f"dead-letters-{now:%Y%m%dT%H%M%SZ}.jsonl")
        discarded = 0
        if seen and not dry_run:
            if not yes:
                options.console(stderr=True).print(overview(groups, now))
                _ask(sieve.matched, path)
            discarded = _discard(url, seen, path)
        said = f"Would discard {sieve.matched}" if dry_run else f"Discarded {discarded}"
        options.say(
            f"{said} of {sieve.total} dead letters" + (f", kept in {path}." if discarded else "."),
            {
                "dryRun": dry_run,
                "total": sieve.total,
                "matched": sieve.matched,
                "discarded": discarded,
                "backup": str(path) if discarded else None,
            },
            as_json=as_json,
        )


def _look(url: str, sieve: Sieve) -> tuple[set[bytes], list[Group]]:
    """Return the fingerprints of the selected letters, and the letters in groups."""
    seen: set[bytes] = set()

    def noted(letters: Iterable[Taken]) -> Iterator[DeadLetter]:
        for one in letters:
            seen.add(one.letter.fingerprint)
            yield one.letter

    with letters_of(url) as letters:
        return seen, grouped(noted(sieve.sift(letters)))


def _ask(count: int, path: Path) -> None:
    try:
        if typer.confirm(f"Discard {count} dead letters, keeping copies in {path}?", err=True):
            return
    except typer.Abort:
        pass
    raise OpsError("nothing was discarded: answer y, or give --yes")


def _discard(url: str, seen: Container[bytes], path: Path) -> int:
    """Discard the letters that were shown, and no other that came or failed again since."""
    removed = 0

    def so_far() -> str:
        return f"{removed} discarded before, kept in {path}" if removed else ""

    with (
        telling_what_was_done(so_far),
        letters_of(url, "Discarding") as letters,
        Backup(path) as backup,
    ):
        for count in discard((one for one in letters if one.letter.fingerprint in seen), backup):
            removed += count
    return removed
