"""Asks before ``replay`` takes devices from users who got them after the event."""

from __future__ import annotations

import sys
from datetime import datetime
from typing import Any, Final

import typer

from operations.errors import OpsError
from ops.terminal import printable

_MAX_LISTED: Final = 20


class OldLetters:
    """The results of ``dead-letters.check``: letters older than a day that release a device.

    Attributes:
        at: when the letters were read; later ones were not checked. Empty before.
    """

    def __init__(self) -> None:
        self.at = ""
        self._takeovers: list[dict[str, Any]] = []
        self._old = 0
        self._unchecked = ""

    def add(self, found: dict[str, Any]) -> None:
        """Add the result of a call."""
        self.at = self.at or found["at"]
        self._old += found["oldLetters"]
        self._takeovers += found["takesDevices"] or []
        self._unchecked = self._unchecked or found["unchecked"]

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

    def to_json(self) -> dict[str, Any]:
        """Return the letters that take devices; None if that is unknown."""
        return {"takesDevices": None if self._unchecked else self._takeovers}

    def _text(self) -> str:
        if self._unchecked:
            return printable(
                f"{_letters(self._old)} of device events older than a day cannot be"
                " checked: they may take devices from users who got them after the event"
                f" ({self._unchecked})"
            )
        if not self._takeovers:
            return ""
        shown = [printable(_line(one)) for one in self._takeovers[:_MAX_LISTED]]
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


def _line(one: dict[str, Any]) -> str:
    return (
        f"{one['id']}: {one['eventType']} of {one['deviceId']} at {_minute(one['occurredAt'])},"
        f" held by {one['holder']} since {_minute(one['heldSince'])}"
    )


def _minute(moment: str) -> str:
    return f"{datetime.fromisoformat(moment):%Y-%m-%d %H:%M} UTC"


def _letters(count: int) -> str:
    return f"{count} letter{'' if count == 1 else 's'}"
