"""Which index each table of a statement is read by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Step(NamedTuple):
    """How one table is read."""

    table: str
    key: str | None
    extra: str


class Explaining:
    """A cursor that explains the statements it is given instead of executing them.

    ``select`` returns the rows of a statement with parameters.
    """

    def __init__(self, select: Callable[..., Sequence[tuple[Any, ...]]]) -> None:
        self._select = select
        self.steps: list[Step] = []

    def execute(self, statement: str, parameters: tuple[object, ...]) -> int:
        """Note how the server would go about it."""
        for row in self._select(f"EXPLAIN {statement}", *parameters):
            self.steps.append(Step(row[2], row[5], row[9] or ""))
        return 0

    def fetchone(self) -> None:
        """Return that there is nothing."""

    def fetchall(self) -> list[tuple[object, ...]]:
        """Return nothing."""
        return []

    def used(self) -> list[tuple[str, str | None]]:
        """Return table and index of what was noted; nothing may be sorted afterwards."""
        assert not [step for step in self.steps if "filesort" in step.extra or "temp" in step.extra]
        found = [(step.table, step.key) for step in self.steps]
        self.steps.clear()
        return found
