"""``scheduler-ops dead-letters replay``."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path  # noqa: TC003 - Typer reads it at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ops import broker as brokers
from ops import options
from ops.commands.dead_letters import selecting
from ops.commands.dead_letters.old_letters import OldLetters
from ops.dead_letters.backup import read_backup
from ops.dead_letters.queue import TakenLetter
from ops.dead_letters.replay import ReplayResult, replay_letters
from ops.dead_letters.selection import Filter
from ops.errors import OpsError, with_progress_in_errors
from ops.terminal import handled_errors, print_result, progress_bars, track

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.messaging.outbound import OutboundMessage


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
    dry_run: selecting.DryRunOption = False,
    broker: options.BrokerUrlOption = None,
    database: options.DatabaseUrlOption = None,
    as_json: options.JsonOption = False,
) -> None:
    """Move dead letters back to their work queues, in order.

    Their attempt counter is reset. The command may be killed and repeated at any time: a letter may
    then be published twice, but takes effect once. It only replays letters that are in the queue at
    its start.

    If a letter is older than a day and would take a device from a user who got it after the event,
    the command asks first. Without a terminal it then replays nothing, unless --yes is given.

    Exit code 1: some letters were not replayed; the message lists the reasons.
    """
    with handled_errors(as_json=as_json):
        now = datetime.now(UTC)
        selection = selecting.selection(queue, error, ids, older_than, newer_than, now)
        chosen, result = Filter(selection), ReplayResult()
        url = options.broker_url(broker)
        check = OldLetters(selection, now, force=force)
        if check.are_possible and not yes:
            with _letters(url, from_file, "") as letters:
                check.look(letters)
            check.find_takeovers(url, database)
            if dry_run:
                check.tell()
            else:
                check.ask()
        with (
            with_progress_in_errors(lambda: _progress(result)),
            _letters(url, from_file, "Replaying") as letters,
            brokers.connected(url) as connection,
        ):
            selected = chosen.apply(letters if yes else check.without_unseen(letters))
            if dry_run:
                replay_letters(map(_without_removal, selected), _discarded, result, force=force)
            else:
                channel = brokers.confirming_channel(connection)
                publish = partial(brokers.publish_confirmed, channel)
                replay_letters(selected, publish, result, force=force)
        chosen.require_match()
        done = "Would replay" if dry_run else "Replayed"
        print_result(
            f"{done} {result.replayed} of {chosen.total} dead letters.",
            _data(chosen, result, dry_run=dry_run) | (check.to_json() if dry_run else {}),
            as_json=as_json,
        )
        _require_all(result)


@contextmanager
def _letters(url: str, file: Path | None, label: str) -> Iterator[Iterable[TakenLetter]]:
    if file is None:
        with selecting.current_letters(url, label) as current:
            yield current
        return
    letters = [TakenLetter(letter, lambda: None) for letter in read_backup(file)]
    with progress_bars() as bars:
        yield track(letters, bars, label, len(letters)) if label else letters


def _without_removal(one: TakenLetter) -> TakenLetter:
    return TakenLetter(one.letter, lambda: None)


def _discarded(_message: OutboundMessage) -> None:
    """Publish nothing, for a dry run."""


def _progress(result: ReplayResult) -> str:
    count = result.replayed
    return f"{count} replayed before; nothing is lost, run the command again" if count else ""


def _data(chosen: Filter, result: ReplayResult, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dryRun": dry_run,
        "total": chosen.total,
        "matched": chosen.matched,
        "replayed": result.replayed,
        "refused": [{"reason": why, "count": n} for why, n in result.refused.most_common()],
    }


def _require_all(result: ReplayResult) -> None:
    if result.refused:
        reasons = "; ".join(f"{n} × {why}" for why, n in result.refused.most_common())
        raise OpsError(f"not replayed: {reasons}")
