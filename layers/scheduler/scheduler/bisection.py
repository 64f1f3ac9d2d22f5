"""Bisection: finds the items that make a batch fail, so that they cost only themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

T = TypeVar("T")
R = TypeVar("R")


def bisect(
    items: Sequence[T],
    attempt: Callable[[Sequence[T]], R],
    give_up: Callable[[T, Exception], R],
    isolates: Callable[[Exception], bool] = lambda _: True,
) -> Iterator[R]:
    """Yield the results of attempting items together, or in halves where that fails.

    A single bad item is found in O(log n) attempts.

    Args:
        items: at least one.
        attempt: does all of the given items, or none and raises.
        give_up: turns an item that failed alone, and its error, into a result.
        isolates: tells whether an error may be one item's; any other error is raised at once.
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
