"""Dead letters as text for the terminal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group as RichGroup
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from operations.dead_letters.describe import is_deep
from operations.dead_letters.letter import FAILURE_HEADERS
from ops.terminal import age, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_INDENTED_DEPTH: Final = 50
_MAX_HEADERS: Final = 100
_MAX_VALUE: Final = 2_000
"""Characters of a property or header that are printed."""
_MAX_BODY: Final = 20_000
"""Characters of a body that are printed; it may have megabytes."""


def groups_table(groups: Iterable[dict[str, Any]], now: datetime) -> Table:
    """Return a table with a row per group of `operations.dead_letters.groups`."""
    table = Table(box=None, pad_edge=False)
    table.add_column("Queue, error, oldest id", overflow="fold")
    for name in ("Letters", "Oldest", "Newest", "Replays"):
        table.add_column(name, justify="right", no_wrap=True)
    for one in groups:
        table.add_row(
            Text(printable(f"{one['queue']}\n{one['error']}\n{one['oldestId']}")),
            str(one["count"]),
            age(_time(one["oldest"]), now),
            age(_time(one["newest"]), now),
            str(one["replays"] or ""),
        )
        table.add_row()
    return table


def letter_page(about: dict[str, Any], now: datetime) -> RichGroup:
    """Return all data of a letter (`operations.dead_letters.describe`) except its body."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    failed_at = about["failedAt"]
    for name, value in {
        "queue": about["queue"],
        "error": about["error"],
        "failed": f"{failed_at or '?'} ({age(_time(failed_at), now)} ago)",
        "first failed": about["firstFailedAt"],
        "attempt": about["attempt"] or None,
        "replays": about["replays"] or None,
        **about["properties"],
    }.items():
        if value is not None:
            table.add_row(name, Text(printable(_cut(str(value), _MAX_VALUE))))
    headers = [one for one in about["headers"].items() if one[0] not in FAILURE_HEADERS]
    for name, value in headers[:_MAX_HEADERS]:
        table.add_row("header", Text(printable(_cut(f"{name}: {_pretty(value)}", _MAX_VALUE))))
    if left := len(headers[_MAX_HEADERS:]):
        table.add_row("header", f"({left} more headers; --json prints them)")
    heading = Rule(Text(printable(about["id"])), align="left")
    return RichGroup(heading, table)


def body_text(about: dict[str, Any]) -> str:
    """Return the beginning of a letter's body, formatted.

    It is a string, because rich is slow with long texts.
    """
    if "body" in about:
        text = _pretty(about["body"])
    elif "bodyText" in about:
        text = f"(not JSON, or nested deeply)\n{about['bodyText']}"
    else:
        text = f"(not text; base64)\n{about['bodyBase64']}"
    return printable(_cut(text, _MAX_BODY))  # escaped, it may be much longer


def _cut(text: str, limit: int) -> str:
    left = len(text) - limit
    return text if left <= 0 else f"{text[:limit]}…\n({left} more characters; --json prints all)"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _pretty(value: object) -> str:
    if isinstance(value, str):
        return value
    # Indented, 18 KB of nested brackets would become 160 MB.
    indent = None if is_deep(value, _INDENTED_DEPTH) else 2
    return json.dumps(value, ensure_ascii=False, indent=indent)
