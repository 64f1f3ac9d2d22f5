"""Output of the commands: text, JSON, tables, progress bars and error messages."""

from __future__ import annotations

import json
import re
import sys
import unicodedata
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import typer
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.progress import Progress

from operations.errors import OpsError
from scheduler.json_text import escape_unsafe

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

_PIPE_WIDTH: Final = 200
_NOT_PLAIN_ASCII: Final = re.compile(r"[^ -~\n\t]")
_WIDE: Final = r"\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff01-\uff60"
_WORDS: Final = re.compile(rf"\s*(?:[{_WIDE}][，。、；：！？）」』】》]*|[^\s{_WIDE}]+)")
_BREAKS: Final = frozenset({"Zl", "Zp"})
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s"))


def print_result(text: RenderableType, data: dict[str, Any], *, as_json: bool) -> None:
    """Print a result as text or as JSON; untrusted text in tables must have passed `printable`."""
    if as_json:
        print(json_text(data))
    elif isinstance(text, str):
        print(printable(text))
    else:
        console().print(text)


def json_text(data: object) -> str:
    """Return JSON in UTF-8 that does not act on a terminal, whatever the data contains."""
    return escape_unsafe(json.dumps(data, ensure_ascii=False))


def console(*, stderr: bool = False) -> Console:
    """Return the console for rich output; in a pipe it is wider than a terminal."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def wrapped(text: str, indent: str = "", *, at_most: int | None = None) -> list[str]:
    """Return the lines of a text that fit the terminal, each with an indent.

    Long words stay whole, so that an id can be copied; Chinese text, which has no spaces, may end
    after any character. The text may be untrusted.
    """
    width = min(console().width, at_most or _PIPE_WIDTH)
    return [
        line
        for part in printable(text).splitlines()
        for line in _filled(part.expandtabs(), width, indent)
    ]


def _filled(text: str, width: int, indent: str) -> Iterator[str]:
    line = ""
    for word in _WORDS.findall(text):
        if line and cell_len(indent + line + word) > width:
            yield indent + line
            line = ""
        line += word if line else word.lstrip()
    if line:
        yield indent + line


def progress_bars() -> Progress:
    """Return progress bars on stderr; they are shown on a terminal only."""
    below = console(stderr=True)
    return Progress(console=below, transient=True, disable=not below.is_terminal)


@contextmanager
def reading_letters() -> Iterator[Callable[[int], None]]:
    """Show on a terminal that letters are read; the yielded function adds how many there are.

    Raises:
        OpsError: it was stopped with Ctrl-C.
    """
    try:
        with progress_bars() as bars:
            task = bars.add_task("Reading", total=None)
            yield lambda count: bars.update(task, description=f"Reading ({count} letters)")
    except KeyboardInterrupt:
        raise OpsError("stopped while reading; nothing was changed") from None


@contextmanager
def handled_errors(*, as_json: bool) -> Iterator[None]:
    """Print an `OpsError` on stderr and exit with its code; it may quote a message or a server."""
    try:
        yield
    except OpsError as error:
        text = json_text({"error": str(error)}) if as_json else printable(f"error: {error}")
        print(text, file=sys.stderr)
        raise typer.Exit(error.code) from None


def printable(text: str) -> str:
    """Escape characters that control the terminal, except line breaks and tabs.

    Messages are untrusted: an escape sequence could recolour or retitle the operator's terminal,
    or hide the rest of the line.
    """
    return _NOT_PLAIN_ASCII.sub(lambda found: _escaped(found[0]), text)


def counted(count: int, noun: str) -> str:
    """Return a number with a noun, which has an ``s`` unless the number is one."""
    return f"{count} {noun}{'' if count == 1 else 's'}"


def age(since: datetime | None, now: datetime) -> str:
    """Return the time since a moment, in the largest unit that fits; ``?`` if unknown."""
    return "?" if since is None else _rounded(now - since)


def duration(seconds: float) -> str:
    """Return a duration in the largest unit that fits."""
    return _rounded(timedelta(seconds=seconds))


def _rounded(span: timedelta) -> str:
    seconds = max(0, int(span.total_seconds()))
    size, unit = next((step for step in _UNITS if seconds >= step[0]), _UNITS[-1])
    return f"{seconds // size} {unit}"


def _escaped(character: str) -> str:
    """Escape control, format (such as right-to-left), surrogate and line separator characters."""
    if unicodedata.category(character)[0] == "C" or unicodedata.category(character) in _BREAKS:
        return character.encode("unicode_escape").decode("ascii")
    return character
