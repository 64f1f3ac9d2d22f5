"""The item of a user's failed payments, and what its state says about a write. Pure.

::

    user_id, failure_count, message_ids {set}, failures {set of "time message-id"},
    last_failure_at, last_reset_at, expires_at

Every write is decided by its condition alone, so concurrent writers cannot disagree. The item
that was read, or that failed a condition (ALL_OLD), tells what to do next:

* the message is in the set            → counted before; the count stands
* a reset is newer than the failure    → superseded; nothing to count
* expires_at has passed                → the item counts as absent (TTL deletes days late)
* a failure is newer than this one     → count without moving last_failure_at back
* a failure is newer than the reset    → forget only the older ones, if the set is still as met

Values are in DynamoDB's own notation; items come from `plain`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from scheduler.payments.failure import Failure

Item = dict[str, Any]
Values = dict[str, dict[str, Any]]

_VALUE: Final = re.compile(r":\w+")

_NOT_EXPIRED: Final = "(attribute_not_exists(expires_at) OR expires_at > :now)"
_NOT_COUNTED: Final = "NOT contains(message_ids, :message_id)"
_NOT_RESET: Final = "(attribute_not_exists(last_reset_at) OR last_reset_at <= :at)"
_NEWEST: Final = "(attribute_not_exists(last_failure_at) OR last_failure_at <= :at)"
_OLDER: Final = "last_failure_at > :at"
_COUNTABLE: Final = f"{_NOT_EXPIRED} AND {_NOT_COUNTED} AND {_NOT_RESET}"


class Write(NamedTuple):
    """An update and its condition."""

    update: str
    condition: str

    def used(self, values: Values) -> Values:
        """Return the values that are mentioned: DynamoDB refuses others."""
        mentioned = set(_VALUE.findall(f"{self.update} {self.condition}"))
        return {name: value for name, value in values.items() if name in mentioned}


@dataclass(frozen=True, slots=True)
class Answer:
    """Nothing is to be written: the count stands, or a newer reset wiped the failure out."""

    count: int | None


_ADD: Final = (
    "SET expires_at = :expires ADD failure_count :one, message_ids :message_ids, failures :failures"
)
_COUNT: Final = Write(
    _ADD.replace("SET ", "SET last_failure_at = :at, "), f"{_COUNTABLE} AND {_NEWEST}"
)
_COUNT_OLDER: Final = Write(_ADD, f"{_COUNTABLE} AND {_OLDER}")
_RESTART: Final = Write(
    "SET failure_count = :one, message_ids = :message_ids, failures = :failures,"
    " last_failure_at = :at, expires_at = :expires REMOVE last_reset_at",
    "expires_at <= :now",
)
_RESET: Final = Write(
    "SET failure_count = :zero, last_reset_at = :at, expires_at = :expires"
    " REMOVE message_ids, failures, last_failure_at",
    f"(expires_at <= :now) OR ({_NEWEST} AND {_NOT_RESET})",
)
_FORGET: Final = Write(
    "SET failure_count = :count, message_ids = :ids, failures = :kept, last_reset_at = :at",
    f"failures = :met AND {_NOT_RESET}",
)


def count_next(item: Item, failure: Failure, now: datetime) -> Write | Answer:
    """Return what counts a failure once, given the item last seen; {} if there is none."""
    at = _iso(failure.at)
    if is_expired(item, now):
        return _RESTART
    if failure.message_id in item.get("message_ids", ()):
        return Answer(int(item["failure_count"]))
    if item.get("last_reset_at", "") > at:
        return Answer(None)
    return _COUNT_OLDER if item.get("last_failure_at", "") > at else _COUNT


def count_values(failure: Failure, now: datetime, expires: datetime) -> Values:
    """Return the values of every write of `count_next`."""
    at = _iso(failure.at)
    return {
        ":one": _number(1),
        ":message_id": _text(failure.message_id),
        ":message_ids": _texts({failure.message_id}),
        ":failures": _texts({f"{at} {failure.message_id}"}),
        ":at": _text(at),
        ":now": _number(_seconds(now)),
        ":expires": _number(_seconds(expires)),
    }


def reset_next(item: Item, at: datetime) -> tuple[Write, Values] | None:
    """Return what resets up to ``at``; None if a newer reset did. Values beside `reset_values`."""
    if item.get("last_reset_at", "") > _iso(at):
        return None
    if item.get("last_failure_at", "") <= _iso(at):
        return _RESET, {}
    met: set[str] = item["failures"]
    kept = {failure for failure in met if failure.partition(" ")[0] > _iso(at)}
    return _FORGET, {
        ":met": _texts(met),
        ":kept": _texts(kept),
        ":ids": _texts({failure.partition(" ")[2] for failure in kept}),
        ":count": _number(len(kept)),
    }


def reset_values(at: datetime, now: datetime, expires: datetime) -> Values:
    """Return the values that every reset needs."""
    return {
        ":zero": _number(0),
        ":at": _text(_iso(at)),
        ":now": _number(_seconds(now)),
        ":expires": _number(_seconds(expires)),
    }


def is_expired(item: Item, now: datetime) -> bool:
    """Tell whether an item counts as absent, though nothing has deleted it yet."""
    return "expires_at" in item and int(item["expires_at"]) <= _seconds(now)


def plain(item: Mapping[str, Any]) -> Item:
    """Return an item without DynamoDB's notation."""
    from boto3.dynamodb.types import TypeDeserializer  # noqa: PLC0415 - the rest needs no boto3

    deserialize = TypeDeserializer().deserialize
    return {name: deserialize(value) for name, value in item.items()}


def key(user_id: str) -> Values:
    """Return the key of a user's item."""
    return {"user_id": _text(user_id)}


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _text(value: str) -> dict[str, Any]:
    return {"S": value}


def _texts(values: Collection[str]) -> dict[str, Any]:
    return {"SS": list(values)}


def _number(value: int) -> dict[str, Any]:
    return {"N": str(value)}


def _iso(moment: datetime) -> str:
    # Of constant width, so that texts compare like times.
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
