"""The result of the operation ``queues`` as a table that fits the terminal."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from rich.console import Group
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from scheduler.messaging.topology import (
    DEAD_LETTER_QUEUE,
    NOTIFICATION_QUEUE,
    WORK_QUEUES,
    WorkQueue,
)
from scheduler.pipeline.settle import Settlement

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.console import Console, RenderableType

_FAILURES: Final = frozenset((Settlement.INVALID, Settlement.DEAD_LETTERED, Settlement.ERROR))
_READY, _AGE, _IN_WORK, _RETRY = "Ready", "Age", "In work", "Retry"
_CONSUMERS, _IN_RATE, _OUT_RATE = "Consumers", "In/s", "Done/s"
_SHORT: Final = {
    Settlement.DUPLICATE: "dup",
    Settlement.OUTDATED: "old",
    Settlement.DEAD_LETTERED: "dead",
}
"""Headings that are short enough for 80 columns."""
_COMPACT_FROM: Final = 100_000
_NO_TENTHS_FROM: Final = 1000
_MINUTE: Final = 60
_HOUR: Final = 3_540
"""The broker's statistics are an hour long, less the minute that they are exact to."""
_ANY_WIDTH: Final = 10_000
_LINES_AROUND: Final = 6
"""Headings and captions, without which the rows of a terminal are counted."""


@dataclass(frozen=True, slots=True)
class _Cell:
    text: Text
    is_zero: bool = False


_NONE: Final = _Cell(Text(""), is_zero=True)
_Rows = dict[str, dict[str, _Cell]]
"""By event, then by heading."""


def queue_view(found: Mapping[str, Any], console: Console) -> RenderableType:
    """Return a row per event, and what happened to its messages.

    A queue of a shard that is no longer deployed has a row of its own.

    If the terminal is too narrow, columns that are zero everywhere are left out, and then the
    outcomes get a table of their own, without the events that have none. If it is too low, events
    without any message are left out.
    """
    states, outcomes = _states(found), _outcomes(found)
    caption = _caption(found)
    both = {event: states[event] | outcomes.get(event, {}) for event in states}
    for rows in (both, _without_zero_columns(both)):
        table = _table(_fitting(rows, console))
        if _width(table, console) <= console.width:
            return Group(table, caption)
    below = _without_zero_rows(_without_zero_columns(outcomes))
    return Group(_table(_fitting(states, console)), "", _table(below), caption)


def _states(found: Mapping[str, Any]) -> _Rows:
    # A function of version 0.2.0 does not tell how many are deployed.
    deployed = min(found["shards"], found.get("deployedShards", found["shards"]))
    rows = {}
    for event in (queue.event_type for queue in WORK_QUEUES):
        rows[event] = _state(found, [WorkQueue(event, number) for number in range(deployed)])
        for number in range(deployed, found["shards"]):
            shard = WorkQueue(event, number)
            if found["queues"][shard.name]:
                rows[f"{event}.{number}"] = _state(found, [shard])
    return rows


def _state(found: Mapping[str, Any], shards: list[WorkQueue]) -> dict[str, _Cell]:
    queues = found["queues"]
    work = [queues[shard.name] for shard in shards]
    retry = [queues[shard.retry_name] for shard in shards]
    cells = {
        _READY: _total(work, "ready"),
        _AGE: _age(work),
        _IN_WORK: _total(work, "unacked"),
        _RETRY: _total(retry, "ready"),
        _CONSUMERS: _total(work, "consumers"),
    }
    for heading, name in ((_IN_RATE, "publishRate"), (_OUT_RATE, "ackRate")):
        cells[heading] = _rate(work, name)
    return cells


def _total(queues: list[dict[str, Any] | None], name: str) -> _Cell:
    if None in queues:
        return _Cell(Text("missing", "bold red"))
    counts = [queue[name] for queue in queues if queue]
    if None in counts:
        return _Cell(Text("?"), is_zero=True)
    return _count(sum(counts))


def _age(queues: list[dict[str, Any] | None]) -> _Cell:
    """Return for how long the queue with the oldest messages was not empty."""
    ages = [queue["ageSeconds"] for queue in queues if queue and "ageSeconds" in queue]
    if not ages:
        return _NONE
    oldest = max(ages)
    shown = ">1h" if oldest >= _HOUR else f"{oldest // 60}min" if oldest >= _MINUTE else "<1min"
    return _Cell(Text(shown, "bold" if oldest >= _MINUTE else ""))


def _rate(queues: list[dict[str, Any] | None], name: str) -> _Cell:
    rates = [queue[name] for queue in queues if queue and name in queue]
    if not rates:
        return _NONE
    total = sum(rates)
    if total >= _NO_TENTHS_FROM:
        return _count(round(total))
    return _Cell(Text(f"{total:.1f}" if total else "0", "" if total else "dim"), not total)


def _outcomes(found: Mapping[str, Any]) -> _Rows:
    outcomes = found.get("outcomes")
    if outcomes is None:
        return {}
    return {
        queue.event_type: {
            _SHORT.get(status, str(status)): _count(
                outcomes.get(queue.event_type, {}).get(status, 0), bad=status in _FAILURES
            )
            for status in Settlement
        }
        for queue in WORK_QUEUES
    }


def _without_zero_columns(rows: _Rows) -> _Rows:
    used = {name for row in rows.values() for name, cell in row.items() if not cell.is_zero}
    kept = used | {_READY}
    return {
        event: {name: cell for name, cell in row.items() if name in kept}
        for event, row in rows.items()
    }


def _without_zero_rows(rows: _Rows) -> _Rows:
    """Leave out events without any message; their consumers do not count."""
    return {
        event: row
        for event, row in rows.items()
        if any(not cell.is_zero for name, cell in row.items() if name != _CONSUMERS)
    }


def _fitting(rows: _Rows, console: Console) -> _Rows:
    too_high = console.is_terminal and console.height < len(rows) + _LINES_AROUND
    return _without_zero_rows(rows) if too_high else rows


def _table(rows: _Rows) -> Table:
    table = Table(box=None, pad_edge=False)
    table.add_column("Event", no_wrap=True)
    headings = list(dict.fromkeys(name for row in rows.values() for name in row))
    for heading in headings:
        table.add_column(heading, justify="right", no_wrap=True)
    for event, row in rows.items():
        table.add_row(event, *(row.get(name, _NONE).text for name in headings))
    return table


def _width(table: Table, console: Console) -> int:
    """Return the table's preferred width."""
    unlimited = console.options.update_width(_ANY_WIDTH)
    return Measurement.get(console, unlimited, table).maximum


def _caption(found: Mapping[str, Any]) -> Text:
    dead = _total([found["queues"][DEAD_LETTER_QUEUE]], "ready")
    nudges = _total([found["queues"][NOTIFICATION_QUEUE]], "ready")
    at = f"{datetime.fromisoformat(found['at']).astimezone():%H:%M:%S}"
    if not dead.is_zero:
        dead.text.stylize("bold red")
    return Text.assemble("\nDead letters: ", dead.text, "   Nudges: ", nudges.text, f"   {at}")


def _count(number: int, *, bad: bool = False) -> _Cell:
    if not number:
        return _Cell(Text("0", "dim"), is_zero=True)
    shown = f"{number}" if number < _COMPACT_FROM else f"{number // 1000}k"
    return _Cell(Text(shown, "bold red" if bad else "bold"))
