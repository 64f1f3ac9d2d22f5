"""Long lists in pages: a limit, and a cursor that encodes where the previous page ended."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Annotated, Final, TypeVar

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic_core import from_json

from allocation_api.errors import ApiError, invalid

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")

DEFAULT_PAGE_SIZE: Final = 100
_MAX_PAGE_SIZE: Final = 200

PageLimit = Annotated[int, Query(ge=1, le=_MAX_PAGE_SIZE)]
PageCursor = Annotated[str | None, Query(max_length=1024)]


def paginate(
    rows: Sequence[T], limit: int, position: Callable[[T], Sequence[str]]
) -> tuple[Sequence[T], str | None]:
    """Split rows into a page and the cursor of the next one.

    Args:
        rows: up to ``limit + 1`` rows; one more than the limit means that there is a next page.
        limit: the size of a page.
        position: returns where a row stands in the order of the list.

    Returns:
        The rows of this page, and the cursor of the next one if there is one.
    """
    if len(rows) <= limit:
        return rows, None
    return rows[:limit], _encode(position(rows[limit - 1]))


def decode_cursor(cursor: str, parts: int) -> list[str]:
    """Return the position that a cursor encodes.

    Raises:
        ApiError: 422, it was not made by this list.
    """
    try:
        position = from_json(base64.urlsafe_b64decode(cursor))
    except ValueError:
        raise invalid_cursor() from None
    if not isinstance(position, list) or len(position) != parts:
        raise invalid_cursor()
    if not all(isinstance(part, str) for part in position):
        raise invalid_cursor()
    return position


def invalid_cursor() -> ApiError:
    """Return the response to a cursor that was not made by the list."""
    return invalid(("query.cursor", "is not a cursor of this list"))


def _encode(position: Sequence[str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()
