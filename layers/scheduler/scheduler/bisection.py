"""Bisection: isolates the items that make a batch fail, so that the others succeed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")

MAX_REFUSALS: Final = 16
"""How often in a row the database may refuse parts of a batch for reasons of its own: enough to
find one item among 10,000. After that, whatever it refuses is given up as it is."""


def bisect(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], R],
    give_up: Callable[[T, Exception], R],
    isolates: Callable[[Exception], bool] = lambda _: True,
) -> Iterator[R]:
    """Attempt all items together, halve those that fail, and yield the results.

    A single bad item among n is found in O(log n) attempts.

    Args:
        items: at least one.
        attempt: applies all of the given items, or applies none and raises.
        give_up: returns the result of an item that failed alone with an error.
        isolates: whether one item may have caused an error; any other error is raised.
    """
    try:
        result = attempt(items)
    except Exception as error:
        if not isolates(error):
            raise
        if len(items) == 1:
            yield give_up(items[0], error)
            return
    else:
        yield result
        return
    middle = len(items) // 2
    yield from bisect(items[:middle], attempt, give_up, isolates)
    yield from bisect(items[middle:], attempt, give_up, isolates)
