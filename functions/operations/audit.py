"""Records each change with its caller, before it is made and when it has ended.

If the first record cannot be written, nothing is changed. If the last one cannot, or the function
is stopped, the row stays without an end.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from pydantic.alias_generators import to_camel

from operations.errors import InvalidInputError, OpsError
from scheduler.database import operator_actions
from scheduler.observability.logger import service_logger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from operations.context import Arguments, OperationContext

RECORDED: Final = frozenset(
    (
        *("queues", "error", "cause", "ids", "failed_until", "failed_since"),
        *("force", "to", "until", "replayed", "refused", "total", "remove", "position"),
        "queues_to_find",
        *("fingerprint", "new_id", "allow_unknown"),
        *("event_type", "raw", "published"),
        *("seconds",),
        *("run", "thorough", "step", "since", "failed"),
    )
)
"""Arguments that are stored. Of others, which may contain personal data, only the size is
stored."""
_MAX_ITEMS: Final = 20

_logger: Final = service_logger()


@contextmanager
def recorded(
    context: OperationContext, caller: str, operation: str, arguments: Arguments
) -> Iterator[None]:
    """Record the change that a block makes.

    Raises:
        OpsError: the change cannot be recorded; the block did not run.
    """
    try:
        with context.transaction() as cursor:
            action = operator_actions.begin(
                cursor, caller, operation, _stored(arguments), context.now
            )
    except OpsError as error:
        raise OpsError(f"nothing was changed, because it cannot be recorded: {error}") from None
    result = "the function failed"
    try:
        yield
        result = "ok"
    except InvalidInputError:
        result = "the input is invalid; nothing was done"  # the message may quote a body
        raise
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


def _stored(arguments: Arguments) -> dict[str, Any]:
    """Return what the audit table holds of the arguments that the caller gave."""
    given = arguments.model_fields_set
    stored = arguments.model_dump(mode="json", by_alias=True, include=given & RECORDED)
    hidden = {to_camel(name): _number(getattr(arguments, name)) for name in given - RECORDED}
    return {name: _short(value) for name, value in (stored | hidden).items()}


def _number(value: object) -> str:
    return f"{len(value)} items" if isinstance(value, list) else "…"


def _short(value: object) -> object:
    if isinstance(value, list) and len(value) > _MAX_ITEMS:
        return [*value[:_MAX_ITEMS], f"… {len(value)} in all"]
    return value
