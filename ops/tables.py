"""Dead letters as text for the terminal."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group as RichGroup
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from operations.dead_letters.letter import FAILURE_HEADERS
from ops.terminal import age, printable

if TYPE_CHECKING:
    from collections.abc import Iterable

_INDENTED_DEPTH: Final = 50


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
            table.add_row(name, Text(printable(str(value))))
    for name, value in about["headers"].items():
        if name not in FAILURE_HEADERS:
            table.add_row("header", Text(printable(f"{name}: {_pretty(value)}")))
    heading = Rule(Text(printable(about["id"])), align="left")
    return RichGroup(heading, table)


def body_text(about: dict[str, Any]) -> str:
    """Return a letter's body, formatted; as a string, because rich is slow with long texts."""
    if "body" in about:
        return printable(_pretty(about["body"]))
    if "bodyText" in about:
        return printable(f"(not JSON)\n{about['bodyText']}")
    return f"(not UTF-8; base64)\n{about['bodyBase64']}"


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _pretty(value: object) -> str:
    if isinstance(value, str):
        return value
    # Indented, 18 KB of nested brackets would become 160 MB.
    indent = None if _is_deep(value, _INDENTED_DEPTH) else 2
    return json.dumps(value, ensure_ascii=False, indent=indent)


def _is_deep(value: object, limit: int) -> bool:
    match value:
        case dict():
            children = list(value.values())
        case list():
            children = value
        case _:
            return False
    return limit == 0 or any(_is_deep(child, limit - 1) for child in children)
