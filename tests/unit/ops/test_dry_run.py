"""What ``replay --dry-run`` says of letters that take several calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ops.commands.dead_letters.dry_run import preview_letters

if TYPE_CHECKING:
    from collections.abc import Mapping


class NoDatabase:
    """Operations whose calls see one letter each and cannot ask the database."""

    place = "a test"

    def call(self, _operation: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
        counts = {"total": 1, "matched": 1, "replayed": 1, "refused": [], "sources": {"q": 1}}
        following = None if "position" in arguments else {"position": {"left": 1}}
        return counts | {"letters": [], "unknown": "no database", "next": following}


def test_reason_why_changes_are_unknown_is_given_once_for_all_calls() -> None:
    found = preview_letters(NoDatabase(), {}, [{}])

    assert (found["total"], found["unknown"]) == (2, "no database")
