"""``scheduler-ops dead-letters replay``."""

from __future__ import annotations

from collections import Counter
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from operations.dead_letters.arguments import MAX_COPIES
from operations.dead_letters.selection import work_queue_name
from operations.errors import OpsError, with_progress_in_errors
from ops.backup import read_backup
from ops.commands.dead_letters import selecting
from ops.commands.dead_letters.dry_run import dry_run_text, preview_letters
from ops.commands.dead_letters.old_letters import OldLetters
from ops.interface import Operations, calls
from ops.options import connects
from ops.terminal import print_result, printable, progress_bars, reading_letters

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_PART_BYTES: Final = 2_000_000
"""Of the copies in one call, whose arguments may have 6 MB."""
_STOPPED: Final = "some letters may be replayed already; nothing is lost, run the command again"


@connects
def replay(  # noqa: PLR0913 - each is an option
    *,
    queue: selecting.QueueOption = None,
    error: selecting.ErrorOption = None,
    ids: selecting.IdOption = None,
    older_than: selecting.OlderThanOption = None,
    newer_than: selecting.NewerThanOption = None,
    from_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Replay the letters in a backup file of discard."),
    ] = None,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Do not check whether old letters take devices, do not ask."),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Also replay letters that reached the replay limit.")
    ] = False,
    to: Annotated[
        str | None,
        typer.Option(
            metavar="QUEUE", help="Work queue or event type for letters that come from none."
        ),
    ] = None,
    dry_run: selecting.DryRunOption = False,
    operations: Operations,
    as_json: bool,
) -> None:
    """Move dead letters back to their work queues, in order.

    Their attempt counter is reset. The command may be killed and repeated at any time: a letter may
    then be published twice, but takes effect once. It only replays letters that are in the queue at
    its start.

    If a letter is older than a day and would take a device from a user who got it after the event,
    the command asks first. Without a terminal it then replays nothing, unless --yes is given.

    A letter that comes from no work queue, because others have published or dead-lettered it, is
    only replayed with --to.

    --dry-run says what each of the first 100 letters would change now: its rule runs, and nothing
    is written. Failed payments are not looked up.

    Exit code 1: some letters were not replayed, or another program holds them; the message lists
    the reasons.
    """
    chosen = selecting.selection(queue, error, ids, older_than, newer_than) | {"force": force}
    if to is not None:
        chosen["to"] = work_queue_name(to)
    sources: list[dict[str, Any]] = [{}]
    if from_file is not None:
        sources = [{"letters": part} for part in _parts(from_file)]
    check = OldLetters()
    if not yes:
        with reading_letters() as progress:
            for source in sources:
                for found in calls(operations, "dead-letters.check", {**chosen, **source}):
                    check.add(found)
                    progress(found["read"])
        check.tell() if dry_run else check.ask()
    if dry_run:
        found = preview_letters(operations, chosen, sources)
        done, text = "Would replay", dry_run_text(found)
    else:
        if from_file is None:
            found = _replay(operations, chosen | ({"until": check.at} if check.at else {}))
        else:
            found = _restore(operations, chosen, sources)
        done, text = "Replayed", ""
    selecting.note(found)
    selecting.note_unwritten(found.get("notNoted", ""))
    selecting.require_match(found)
    names = ("total", "matched", "replayed", "refused")
    data = {"dryRun": dry_run} | {name: found[name] for name in names}
    data |= {name: found.get(name, 0) for name in ("readers", "held")}
    if dry_run:
        data |= check.to_json() | {"letters": found["letters"]}
    summary = f"{done} {found['replayed']} of {found['total']} dead letters."
    print_result(f"{text}{summary}", data, as_json=as_json)
    _require_all(found)


def _replay(operations: Operations, chosen: dict[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    sources = Counter[str]()
    with with_progress_in_errors(lambda: _progress(result), _STOPPED), progress_bars() as bars:
        task = bars.add_task("Replaying", total=None)
        for found in calls(operations, "dead-letters.replay", chosen):
            sources.update(found["sources"])
            readers = max(found["readers"], result.get("readers", 0))
            not_noted = found.get("notNoted") or result.get("notNoted", "")
            result = found | {"sources": sources, "readers": readers, "notNoted": not_noted}
            bars.update(task, completed=result["replayed"], total=result["total"])
    return result


def _restore(
    operations: Operations, chosen: dict[str, Any], sources: list[dict[str, Any]]
) -> dict[str, Any]:
    result: dict[str, Any] = {"total": 0, "matched": 0, "replayed": 0, "refused": [], "sources": {}}
    result["notNoted"] = ""
    with with_progress_in_errors(lambda: _progress(result), _STOPPED), progress_bars() as bars:
        for source in bars.track(sources, description="Replaying"):
            arguments = {**chosen, **source, "replayed": result["replayed"]}
            found = operations.call("dead-letters.restore", arguments)
            result = {
                "total": result["total"] + found["total"],
                "matched": result["matched"] + found["matched"],
                "replayed": found["replayed"],
                "refused": result["refused"] + found["refused"],
                "sources": result["sources"] | found["sources"],
                "notNoted": result["notNoted"] or found.get("notNoted", ""),
            }
    return result


def _parts(path: Path) -> Iterator[list[dict[str, Any]]]:
    """Yield the copies in a file in parts that fit into a call."""
    part, size = list[dict[str, Any]](), 0
    for copy in list(read_backup(path)):  # before the first call, the whole file is checked
        length = len(copy["raw"]["body"]) + len(copy["raw"]["properties"])
        if part and (len(part) == MAX_COPIES or size + length > _MAX_PART_BYTES):
            yield part
            part, size = [], 0
        part.append(copy)
        size += length
    yield part


def _progress(result: dict[str, Any]) -> str:
    count = result.get("replayed", 0)
    return f"{count} replayed before; nothing is lost, run the command again" if count else ""


def _require_all(result: dict[str, Any]) -> None:
    left = []
    if result["refused"]:
        reasons = "; ".join(f"{one['count']} × {one['reason']}" for one in result["refused"])
        left.append(f"not replayed: {printable(reasons)}")
    if held := result.get("held"):
        left.append(f"another program holds {held} of the letters; run the command again")
    if left:
        raise OpsError("; ".join(left))
