"""Operations that take several calls if there are many dead letters."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from operations.dead_letters.arguments import MAX_REMOVED
from operations.errors import OpsError
from ops.interface import calls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from ops.backup import Backup
    from ops.interface import Operations

_LIST: Final = "dead-letters.list"
_DISCARD: Final = "dead-letters.discard"
_SUMS: Final = ("total", "matched", "groupsLeftOff")


class Discarded(NamedTuple):
    """How many letters were copied and removed; ``not_noted`` is why timelines do not show it."""

    copied: int = 0
    removed: int = 0
    not_noted: str = ""


def read_groups(
    operations: Operations,
    arguments: Mapping[str, Any],
    progress: Callable[[int], None] = lambda _: None,
) -> dict[str, Any]:
    """Return the result of ``dead-letters.list`` for all letters.

    Args:
        operations: where they are.
        arguments: of the operation.
        progress: is told after each call how many letters have been read.
    """
    parts = calls(operations, _LIST, arguments)
    whole = next(parts)
    for part in parts:
        for name in _SUMS:
            whole[name] += part[name]
        progress(whole["total"])
        whole["sources"] = dict(Counter(whole["sources"]) + Counter(part["sources"]))
        whole["readers"] = max(whole["readers"], part["readers"])
        whole["held"] = part["held"]
        whole["groups"] = _joined(whole["groups"] + part["groups"], arguments.get("samples", 0))
        whole["complete"], whole["next"] = part["complete"], None
    return whole


def discard(
    operations: Operations, chosen: Mapping[str, Any], backup: Backup
) -> Iterator[Discarded]:
    """Store all letters, then remove those stored; yield after each call how far it has come.

    It may be stopped at any time: each letter is in the queue, in the file, or in both.

    Args:
        operations: where they are.
        chosen: the selection, and ``until``.
        backup: the file.

    Raises:
        OpsError: letters were not removed, or not seen; the others were discarded.
    """
    stored, held, complete = list[str](), 0, True
    done = Discarded()
    for result in calls(operations, _DISCARD, {**chosen, "remove": []}):
        if result["letters"]:
            backup.write(result["letters"])
            stored += result["fingerprints"]
        held = result.get("held", 0)
        done = done._replace(copied=len(stored))
        yield done
    for begin in range(0, len(stored), MAX_REMOVED):
        page = stored[begin : begin + MAX_REMOVED]
        result = operations.call(_DISCARD, {**chosen, "remove": page})
        done = done._replace(
            removed=done.removed + result["discarded"],
            not_noted=done.not_noted or result.get("notNoted", ""),
        )
        complete = complete and result.get("complete", True)
        yield done
    if done.removed < len(stored):
        why = "are still in the queue" if not complete else "were held or taken by another program"
        raise OpsError(f"{len(stored) - done.removed} of the copied letters {why}")
    if held:
        raise OpsError(f"another program holds {held} of the letters")


def _joined(groups: list[dict[str, Any]], samples: int) -> list[dict[str, Any]]:
    """Return one group for those of several calls that have the same queue and cause."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for one in groups:
        key = (one["queue"], one["cause"])
        found[key] = _both(found[key], one, samples) if key in found else one
    return sorted(found.values(), key=lambda group: group["count"], reverse=True)


def _both(one: dict[str, Any], other: dict[str, Any], samples: int) -> dict[str, Any]:
    oldest = min(one, other, key=lambda group: (group["oldest"] is None, group["oldest"] or ""))
    times = [group["newest"] for group in (one, other) if group["newest"]]
    joined = oldest | {
        "count": one["count"] + other["count"],
        "newest": max(times, default=None),
        "replays": max(one["replays"], other["replays"]),
    }
    for name in ("letters", "fingerprints"):
        if name in one:
            joined[name] = (one[name] + other[name])[:samples]
    return joined
