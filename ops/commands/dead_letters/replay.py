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
from ops.commands.dead_letters import filters
from ops.commands.dead_letters.letters import letters_of
from ops.dead_letters import backup
from ops.dead_letters.queue import Taken
from ops.dead_letters.replay import Account, replay
from ops.dead_letters.selection import Sieve
from ops.errors import OpsError, telling_what_was_done
from ops.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from scheduler.messaging.publisher import Outbound


def command(  # noqa: PLR0913 - each is an option
    *,
    queue: filters.Queues = None,
    error: filters.Error = None,
    ids: filters.Ids = None,
    older_than: filters.OlderThan = None,
    newer_than: filters.NewerThan = None,
    from_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Replay what discard wrote there instead.")
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also those that were replayed too often already.")
    ] = False,
    dry_run: filters.DryRun = False,
    broker: options.BrokerUrl = None,
    as_json: options.AsJson = False,
) -> None:
    """Send dead letters back to their work queues, as new and in their order.

    It may be killed and run again at any time: a letter may then come twice, and counts once. Only
    what is there at the start is replayed, not what fails again meanwhile.
    Exit code 1: some were not replayed; says which and why.
    """
    with options.outcome(as_json=as_json):
        now = datetime.now(UTC)
        sieve = Sieve(filters.selection(queue, error, ids, older_than, newer_than, now))
        account = Account()
        url = options.broker_url(broker)
        with (
            telling_what_was_done(lambda: _so_far(account)),
            _stored(from_file) if from_file else letters_of(url, "Replaying") as letters,
            brokers.connected(url) as connection,
        ):
            chosen = sieve.sift(letters)
            if dry_run:
                replay(map(_kept, chosen), _nowhere, account, force=force)
            else:
                publish = partial(brokers.publish, brokers.confirming_channel(connection))
                replay(chosen, publish, account, force=force)
        sieve.require_match()
        said = "Would replay" if dry_run else "Replayed"
        options.say(
            f"{said} {account.replayed} of {sieve.total} dead letters.",
            _data(sieve, account, dry_run=dry_run),
            as_json=as_json,
        )
        _require_all(account)


@contextmanager
def _stored(file: Path) -> Iterator[Iterable[Taken]]:
    letters = [Taken(letter, lambda: None) for letter in backup.read(file)]
    with options.progress() as bars:
        yield options.tracked(letters, bars, "Replaying", len(letters))


def _kept(one: Taken) -> Taken:
    return Taken(one.letter, lambda: None)


def _nowhere(_message: Outbound) -> None:
    """Publish nothing: a dry run."""


def _so_far(account: Account) -> str:
    count = account.replayed
    return f"{count} replayed before; nothing is lost, run it again" if count else ""


def _data(sieve: Sieve, account: Account, *, dry_run: bool) -> dict[str, Any]:
    return {
        "dryRun": dry_run,
        "total": sieve.total,
        "matched": sieve.matched,
        "replayed": account.replayed,
        "refused": [{"reason": why, "count": n} for why, n in account.refused.most_common()],
    }


def _require_all(account: Account) -> None:
    if account.refused:
        reasons = "; ".join(f"{n} × {why}" for why, n in account.refused.most_common())
        raise OpsError(f"not replayed: {printable(reasons)}")
