"""What ``replay --dry-run`` prints about each letter."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from ops.interface import calls
from ops.terminal import printable, reading_letters

if TYPE_CHECKING:
    from ops.interface import Operations


def preview_letters(
    operations: Operations, chosen: dict[str, Any], sources: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return how many letters would be replayed, and what the first ones would change."""
    total: dict[str, Any] = {
        "total": 0,
        "matched": 0,
        "replayed": 0,
        "refused": [],
        "sources": {},
        "letters": [],
        "unknown": "",
    }
    with reading_letters() as progress:
        for source in sources:
            for found in calls(operations, "dead-letters.preview", {**chosen, **source}):
                unknown = total["unknown"] or found["unknown"]
                total = {name: _sum(value, found[name]) for name, value in total.items()}
                total["unknown"] = unknown
                progress(total["total"])
    return total | {"refused": _joined(total["refused"])}


def _sum(one: Any, other: Any) -> Any:  # noqa: ANN401 - numbers, lists, or counts by name
    return Counter(one) + Counter(other) if isinstance(one, dict) else one + other


def _joined(refused: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts = Counter[str]()
    for one in refused:
        counts[one["reason"]] += one["count"]
    return [{"reason": why, "count": count} for why, count in counts.most_common()]


def dry_run_text(found: dict[str, Any]) -> str:
    """Return lines on what each letter would change now."""
    lines = [line for letter in found["letters"] for line in _lines(letter)]
    if found["unknown"]:
        lines.append(f"What the letters would change is unknown: {found['unknown']}")
    left = found["replayed"] - len(found["letters"])
    if left and not found["unknown"]:
        lines.append(f"… and {left} more letters; add filters to see what they would change")
    return "".join(f"{printable(line)}\n" for line in lines)


def _lines(letter: dict[str, Any]) -> list[str]:
    event = letter["queue"].removeprefix("scheduler.")
    error = f": {letter['error']}" if letter["error"] else ""
    changes = [f"  {change}" for change in letter["changes"]]
    if letter["outcome"] == "done" and not changes:
        changes = ["  changes nothing"]
    return [f"{letter['id']} ({event}): {letter['outcome']}{error}", *changes]
