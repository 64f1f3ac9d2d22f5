"""Lets something happen between two steps of the code under test."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable


class Interruption:
    """Counts the calls of methods of several objects, and acts before the one of a given number."""

    def __init__(self, before: int, act: Callable[[], None]) -> None:
        self.calls = 0
        self._before = before
        self._act = act

    def of(self, thing: object) -> Any:  # noqa: ANN401 - stands in for the object
        """Return a stand-in for an object whose method calls are counted."""
        return _Counted(thing, self._count)

    def _count(self) -> None:
        if self.calls == self._before:
            self._act()
        self.calls += 1


class _Counted:
    def __init__(self, thing: object, count: Callable[[], None]) -> None:
        self._thing = thing
        self._count = count

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - any method
        method = getattr(self._thing, name)

        def call(*arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - of any method
            self._count()
            return method(*arguments, **named)

        return call
