"""Which index each table of a statement is read by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from scheduler.database.cursor import BulkCursor, PendingResult

if TYPE_CHECKING:
    from collections.abc import Callable

    from scheduler.database.connection import Database


_SEARCHING = ("SELECT", "UPDATE", "DELETE")


def explain(database: Database) -> list[dict[str, Any]]:
    """Have every searching statement explained before it runs; the list fills up."""
    plans: list[dict[str, Any]] = []

    class Explained(BulkCursor):
        def execute(self, query: str, args: object = None) -> int:
            # executemany passes bytes: an INSERT, which searches nothing.
            if isinstance(query, str) and query.lstrip().startswith(_SEARCHING):
                self._explain(query, args)
            return super().execute(query, args)

        def send_query(self, query: str, args: tuple[object, ...]) -> PendingResult:
            self._explain(query, args)
            return super().send_query(query, args)

        def _explain(self, query: str, args: object) -> None:
            super().execute(f"EXPLAIN {self.mogrify(query, args)}")
            names = [column[0] for column in self.description or ()]
            rows = [dict(zip(names, row, strict=True)) for row in self.fetchall()]
            plans.extend({**row, "statement": query} for row in rows)

    with database.transaction() as cursor:
        cursor.connection.cursorclass = Explained
    return plans


class Explaining:
    """A cursor that explains the statements it is given instead of executing them.

    ``select`` returns the rows of a statement with parameters, as named tuples.
    """

    def __init__(self, select: Callable[..., list[Any]]) -> None:
        self._select = select
        self.steps: list[Any] = []

    def execute(self, statement: str, parameters: tuple[object, ...]) -> int:
        """Note the columns ``table``, ``type``, ``key`` and ``Extra`` of the plan, among others."""
        self.steps += self._select(f"EXPLAIN {statement}", *parameters)
        return 0

    def fetchone(self) -> None:
        """Return that there is nothing."""

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return nothing."""
        return []

    def used(self, sorted_: str = "") -> list[tuple[str, str | None]]:
        """Return table and index of what was noted.

        Nothing may be sorted afterwards but the rows of ``sorted_``, a subquery with a limit.
        """
        extras = [step.Extra or "" for step in self.steps if step.table != sorted_]
        assert not [extra for extra in extras if "filesort" in extra or "temp" in extra]
        found = [(step.table, step.key) for step in self.steps if not step.table.startswith("<")]
        self.steps.clear()
        return found
