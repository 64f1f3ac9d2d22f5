"""Asks before ``replay`` takes devices from users who got them after the event."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

import typer

from ops import options
from ops.database import transaction
from ops.dead_letters.replay import refusal_of
from ops.dead_letters.takeovers import RELEASING_QUEUES, find_takeovers, old_release
from ops.errors import InvalidInputError, OpsError
from ops.terminal import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from ops.dead_letters.queue import TakenLetter
    from ops.dead_letters.selection import Selection
    from ops.dead_letters.takeovers import OldRelease, Takeover

_MAX_LISTED: Final = 20


class OldLetters:
    """The selected letters that are older than a day and release a device."""

    def __init__(self, selection: Selection, now: datetime, *, force: bool) -> None:
        self._selection = selection
        self._now = now
        self._force = force
        self._releases: dict[bytes, OldRelease] = {}
        self._takeovers: list[Takeover] = []
        self._unchecked = ""

    @property
    def are_possible(self) -> bool:
        """Tell whether the selected queues may have such letters."""
        queues = self._selection.queues
        return not queues or not queues.isdisjoint(RELEASING_QUEUES)

    def look(self, letters: Iterable[TakenLetter]) -> None:
        """Remember the old letters that are to be replayed."""
        for one in letters:
            if not self._selection.matches(one.letter):
                continue
            if refusal_of(one.letter, force=self._force):
                continue
            if release := old_release(one.letter, self._now):
                self._releases[one.letter.fingerprint] = release

    def find_takeovers(self, broker_url: str, database_url: str | None) -> None:
        """Look up the holders of the devices, if there are old letters.

        Without a URL, the database of the local platform is used, if the letters are from its
        broker.

        Raises:
            InvalidInputError: the URL of the database is invalid.
        """
        if not self._releases:
            return
        url = database_url or options.local_endpoints(broker_url).get("database")
        if not url:
            self._unchecked = "no database is given; add --database-url"
            return
        try:
            with transaction(url) as cursor:
                self._takeovers = find_takeovers(cursor, self._releases.values())
        except InvalidInputError:
            raise
        except OpsError as error:
            self._unchecked = str(error)

    def tell(self) -> None:
        """Print what `ask` would ask about."""
        if text := self._text():
            print(text, file=sys.stderr)

    def ask(self) -> None:
        """Ask whether to replay, if letters take devices or if that is unknown.

        Raises:
            OpsError: the operator declined, or there is no terminal to ask on.
        """
        if not (text := self._text()):
            return
        if not sys.stdin.isatty():
            raise OpsError(f"nothing was replayed: there is no terminal to ask on. {text}\n{_HINT}")
        print(text, file=sys.stderr)
        try:
            if typer.confirm("Replay them?", err=True):
                return
        except typer.Abort:
            pass
        raise OpsError(f"nothing was replayed. {_HINT}")

    def without_unseen(self, letters: Iterable[TakenLetter]) -> Iterator[TakenLetter]:
        """Leave out old letters that arrived after `look`."""
        for one in letters:
            if not old_release(one.letter, self._now) or one.letter.fingerprint in self._releases:
                yield one

    def to_json(self) -> dict[str, Any]:
        """Return the letters that take devices; None if that is unknown."""
        found = [one.to_json() for one in self._takeovers]
        return {"takesDevices": None if self._unchecked else found}

    def _text(self) -> str:
        if self._unchecked:
            return (
                f"{_letters(len(self._releases))} of device events older than a day cannot be"
                " checked: they may take devices from users who got them after the event"
                f" ({self._unchecked})"
            )
        if not self._takeovers:
            return ""
        shown = [printable(str(one)) for one in self._takeovers[:_MAX_LISTED]]
        if more := len(self._takeovers) - len(shown):
            shown.append(f"and {more} more")
        count = _letters(len(self._takeovers))
        lines = "\n".join(f"  {line}" for line in shown)
        return (
            f"{count} older than a day would take devices from users who got them after the"
            f" event:\n{lines}"
        )


_HINT: Final = (
    "Add --yes to replay them, or remove those that are no longer true with dead-letters discard"
)


def _letters(count: int) -> str:
    return f"{count} letter{'' if count == 1 else 's'}"
