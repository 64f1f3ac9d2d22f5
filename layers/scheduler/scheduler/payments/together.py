"""What a transaction writes for each of many users, given the items that were read. Pure.

A write puts the whole item, on condition that the user's item is still as it was read. So the
count is known without reading again: nobody else's failure can be in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from scheduler.payments.item import Answer, count_next, count_values, is_expired, key, plain

if TYPE_CHECKING:
    from datetime import datetime

    from scheduler.payments.failure import Failure
    from scheduler.payments.item import Values

_ATTRIBUTES: Final = (
    *("failure_count", "message_ids", "failures"),
    *("last_failure_at", "last_reset_at", "expires_at"),
)


@dataclass(frozen=True, slots=True)
class Planned:
    """A write of a transaction, and the user's count once it is made."""

    message_id: str
    put: dict[str, Any]
    count: int


def plan(read: Values, failure: Failure, now: datetime, expires: datetime) -> Planned | Answer:
    """Return what counts a failure, given the user's item in DynamoDB's notation; {} for none."""
    item = plain(read)
    step = count_next(item, failure, now)
    if isinstance(step, Answer):
        return step
    kept = {} if is_expired(item, now) else read
    values = count_values(failure, now, expires)
    count = int(_of(kept, "failure_count", "0")) + 1
    put = {
        **kept,
        **key(failure.user_id),
        "failure_count": {"N": str(count)},
        "message_ids": {"SS": _of(kept, "message_ids", []) + values[":message_ids"]["SS"]},
        "failures": {"SS": _of(kept, "failures", []) + values[":failures"]["SS"]},
        "last_failure_at": {"S": max(_of(kept, "last_failure_at", ""), values[":at"]["S"])},
        "expires_at": values[":expires"],
    }
    return Planned(failure.message_id, {"Item": put, **_if_as(read)}, count)


def _of(item: Values, name: str, otherwise: Any) -> Any:  # noqa: ANN401 - text or texts
    return next(iter(item[name].values())) if name in item else otherwise


def _if_as(read: Values) -> dict[str, Any]:
    """Return the condition that an item, or that none, is as it was read."""
    if not read:
        return {"ConditionExpression": "attribute_not_exists(user_id)"}
    terms = (f"{n} = :{n}" if n in read else f"attribute_not_exists({n})" for n in _ATTRIBUTES)
    return {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeValues": {f":{n}": read[n] for n in _ATTRIBUTES if n in read},
    }
