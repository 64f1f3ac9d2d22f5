"""``make release``: records the current contracts as those of the released version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from events.contracts.broker import DEAD_LETTER_HEADERS, HEADERS, broker
from events.contracts.files import FOLDER, schemas
from local.paths import ROOT
from scheduler.version import VERSION

if TYPE_CHECKING:
    from collections.abc import Mapping

RELEASED: Final = ROOT / FOLDER / "released.json"
BREAKING: Final = ROOT / FOLDER / "breaking.json"
"""The breaking changes since the release, written by hand: what changed, where, and the sentence of
the changelog that describes it."""
_ONLY_EXPLAIN: Final = frozenset({"$id", "$schema", "title", "description", "examples"})


def current() -> dict[str, Any]:
    """Return the version and the contracts of this checkout, without their explanations."""
    consumed, produced = schemas()
    return {
        "version": VERSION,
        "consumed": _bare(consumed | {"headers": HEADERS}),
        "produced": _bare(produced | {"headers of dead letters": DEAD_LETTER_HEADERS}),
        "broker": broker(),
    }


def released() -> dict[str, Any]:
    """Return what `current` returned in the last release."""
    found: dict[str, Any] = json.loads(RELEASED.read_text("utf-8"))
    return found


def may_break(version: str, released_version: str) -> bool:
    """Return whether a version may contain breaking changes (https://semver.org, items 4 and 8)."""
    new, old = (tuple(map(int, one.split("."))) for one in (version, released_version))
    return new[:1] > old[:1] if old[0] else new[:2] > old[:2]


def _bare(by_type: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {name: _without_explanations(schema) for name, schema in by_type.items()}


def _without_explanations(schema: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in schema.items() if key not in _ONLY_EXPLAIN}
    if "properties" in kept:
        kept["properties"] = _bare(kept["properties"])
    return kept


if __name__ == "__main__":
    RELEASED.write_text(json.dumps(current(), ensure_ascii=False, indent=1) + "\n", "utf-8")
    BREAKING.write_text("[]\n", "utf-8")
    print(f"Wrote {RELEASED.relative_to(ROOT)}: the contracts of {VERSION}")
