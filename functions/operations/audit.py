"""Records each change with its caller, before it is made and when it has ended.

If the first record cannot be written, nothing is changed. If the last one cannot, or the function
is stopped, the row stays without an end.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from operations.errors import OpsError
from scheduler.database import operator_actions
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from operations.context import OperationContext

_BODIES: Final = frozenset({"body", "letters"})
"""Arguments that contain personal data."""
_MAX_ITEMS: Final = 20

_logger: Final = service_logger()


@contextmanager
def recorded(
    context: OperationContext, caller: str, operation: str, arguments: Mapping[str, Any]
) -> Iterator[None]:
    """Record the change that a block makes.

    Raises:
        OpsError: the change cannot be recorded; the block did not run.
    """
    about = {name: _short(name, value) for name, value in arguments.items()}
    try:
        with context.transaction() as cursor:
            action = operator_actions.begin(cursor, caller, operation, about, context.now)
    except OpsError as error:
        raise OpsError(f"nothing was changed, because it cannot be recorded: {error}") from None
    result = "the function failed"
    try:
        yield
        result = "ok"
    except OpsError as error:
        result = str(error)
        raise
    finally:
        _end(context, action, result)


def _end(context: OperationContext, action: int, result: str) -> None:
    try:
        with context.transaction() as cursor:
            operator_actions.end(cursor, action, result, datetime.now(UTC))
    except OpsError:
        _logger.exception("The end of a change is not recorded", extra={"action": action})


def _short(name: str, value: object) -> object:
    """Return what the audit table holds of an argument."""
    if name in _BODIES:
        return f"{len(value)} items" if isinstance(value, list) else "…"
    if isinstance(value, list) and len(value) > _MAX_ITEMS:
        return [*value[:_MAX_ITEMS], f"… {len(value)} in all"]
    return value
