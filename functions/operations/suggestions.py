"""What an operator may have meant by a name that does not exist."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def similar(given: str, names: Iterable[str]) -> str | None:
    """Return the name that is most like the given one; None if none is like it."""
    close = difflib.get_close_matches(given, list(names), n=1)
    return close[0] if close else None


def hint(given: str, names: Iterable[str], also: Iterable[str] = ()) -> str:
    """Return a question about the most similar name, or a list of the names.

    Args:
        given: a name that does not exist.
        names: those that exist.
        also: other forms of them, which are not listed.
    """
    listed = list(names)
    close = similar(given, [*listed, *also])
    return f"did you mean {close}?" if close else f"there are {', '.join(listed)}"
