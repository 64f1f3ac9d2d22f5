"""Rows whose columns have names."""

from __future__ import annotations

from collections import namedtuple
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pymysql.cursors import Cursor


def named_rows(cursor: Cursor) -> list[Any]:
    """Return the rows that a cursor has selected, as named tuples.

    A column without a usable name, such as ``COUNT(*)``, is called ``_0`` after its position.
    """
    row = _row_type(tuple(column[0] for column in cursor.description or ()))
    return [row._make(values) for values in cursor.fetchall()]


@cache
def _row_type(names: tuple[str, ...]) -> Any:  # noqa: ANN401 - made from the names
    return namedtuple("Row", names, rename=True)  # noqa: PYI024 - the names come from a query
