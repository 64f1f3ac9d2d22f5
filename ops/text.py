"""How things are written on a terminal."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from datetime import datetime, timedelta

_UNUSUAL: Final = re.compile(r"[^ -~\n\t]")
_STEPS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def printable(text: str) -> str:
    """Return a text in which nothing can steer the terminal; line ends and tabs stay.

    Messages come from strangers: an escape sequence in one could recolour or retitle the
    operator's terminal, or hide the rest of the line.
    """
    return _UNUSUAL.sub(lambda found: _harmless(found[0]), text)


def age(since: datetime | None, now: datetime) -> str:
    """Return how long ago something was, in the largest unit that fits; ``?`` if unknown."""
    return "?" if since is None else _rounded(now - since)


def _rounded(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    size, unit = next((step for step in _STEPS if seconds >= step[0]), _STEPS[-1])
    return f"{seconds // size} {unit}"


def _harmless(character: str) -> str:
    """Escape control, format (such as right-to-left) and surrogate characters."""
    if unicodedata.category(character).startswith("C"):
        return character.encode("unicode_escape").decode("ascii")
    return character
