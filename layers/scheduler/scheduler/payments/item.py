"""The DynamoDB item that holds a user's failed payments, and the writes it allows. Pure.

::

    user_id, failure_count, message_ids {set}, failures {set of "time message-id"},
    last_failure_at, last_reset_at, expires_at

Every write carries a condition that alone decides whether it is made, so concurrent writers
cannot disagree. The next write is chosen from the item last seen: the one that was read, or the
one that failed the condition of the write before (ALL_OLD).

* the message is in the set            → counted before; the count stands
* a reset is newer than the failure    → superseded; nothing to count
* the count has reached `MAX_COUNT`    → the count stands; the newest failures are kept
* expires_at has passed                → the item counts as absent (TTL deletes days late)
* a failure is newer than this one     → count without moving last_failure_at back
* a failure is newer than the reset    → forget only the older ones, if the set has not changed

A time of a whole second is compared at that precision (`scheduler.domain.guard`): it is older only
than what happened after that second.

`Values` are in DynamoDB's notation, an `Item` is without it (`scheduler.payments.notation`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from scheduler.domain.guard import latest
from scheduler.payments.failure import MAX_COUNT
from scheduler.payments.notation import Item, Values, number, plain, text, texts, with_notation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from scheduler.payments.failure import Failure

_ATTRIBUTES: Final = (
    *("failure_count", "message_ids", "failures"),
    *("last_failure_at", "last_reset_at", "expires_at"),
)
_VALUE: Final = re.compile(r":\w+")

_NOT_EXPIRED: Final = "(attribute_not_exists(expires_at) OR expires_at > :now)"
_NOT_COUNTED: Final = "NOT contains(message_ids, :message_id)"
_NOT_RESET: Final = "(attribute_not_exists(last_reset_at) OR last_reset_at <= :latest)"
_NEWEST: Final = "(attribute_not_exists(last_failure_at) OR last_failure_at <= :at)"
_NO_LATER: Final = "(attribute_not_exists(last_failure_at) OR last_failure_at <= :latest)"
_NEWEST_RESET: Final = "(attribute_not_exists(last_reset_at) OR last_reset_at <= :at)"
_OLDER: Final = "last_failure_at > :at"
_NOT_FULL: Final = "(attribute_not_exists(failure_count) OR failure_count < :max)"
_COUNTABLE: Final = f"{_NOT_EXPIRED} AND {_NOT_COUNTED} AND {_NOT_RESET} AND {_NOT_FULL}"


class Write(NamedTuple):
    """An update expression and its condition expression."""

    update: str
    condition: str

    def used(self, values: Values) -> Values:
        """Return the values that the expressions mention; DynamoDB rejects unused ones."""
        mentioned = set(_VALUE.findall(f"{self.update} {self.condition}"))
        return {name: value for name, value in values.items() if name in mentioned}


@dataclass(frozen=True, slots=True)
class KnownCount:
    """A count that needs no write; None if a newer reset superseded the failure."""

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
    f"(expires_at <= :now) OR ({_NO_LATER} AND {_NEWEST_RESET})",
)
_FORGET: Final = Write(
    "SET failure_count = :count, message_ids = :ids, failures = :kept, last_reset_at = :at",
    f"failures = :met AND {_NEWEST_RESET}",
)
_REPLACE: Final = Write(
    "SET failures = :kept, message_ids = :ids, last_failure_at = :newest, expires_at = :expires",
    f"failures = :met AND {_NOT_EXPIRED} AND {_NOT_RESET}",
)


def count_next(item: Item, failure: Failure, now: datetime) -> tuple[Write, Values] | KnownCount:
    """Return the write that counts a failure once, given the item last seen ({} for none).

    Also returns the values that it needs in addition to `count_values`.
    """
    at = _iso(failure.at)
    if is_expired(item, now):
        return _RESTART, {}
    if failure.message_id in item.get("message_ids", ()):
        return KnownCount(int(item["failure_count"]))
    if item.get("last_reset_at", "") > _iso(latest(failure.at)):
        return KnownCount(None)
    if int(item.get("failure_count", 0)) >= MAX_COUNT:
        return _replace_next(item, failure)
    return _COUNT_OLDER if item.get("last_failure_at", "") > at else _COUNT, {}


def _replace_next(item: Item, failure: Failure) -> tuple[Write, Values] | KnownCount:
    """Return the write that replaces the oldest failure by this one, unless this one is older.

    A reset forgets the oldest failures first. So failures that it leaves really are the newest, and
    it would leave a dropped one only together with all that are kept.
    """
    met: set[str] = item["failures"]
    kept = _newest(met | {_entry(failure)})
    if kept == met:
        return KnownCount(int(item["failure_count"]))
    return _REPLACE, {
        ":met": texts(met),
        ":kept": texts(kept),
        ":ids": texts(_ids(kept)),
        ":newest": text(max(kept).partition(" ")[0]),
    }


def count_values(failure: Failure, now: datetime, expires: datetime) -> Values:
    """Return the values used by any write of `count_next`."""
    at = _iso(failure.at)
    return {
        ":one": number(1),
        ":max": number(MAX_COUNT),
        ":message_id": text(failure.message_id),
        ":message_ids": texts({failure.message_id}),
        ":failures": texts({_entry(failure)}),
        ":at": text(at),
        ":latest": text(_iso(latest(failure.at))),
        ":now": number(_seconds(now)),
        ":expires": number(_seconds(expires)),
    }


def reset_next(item: Item, at: datetime) -> tuple[Write, Values] | None:
    """Return the write that resets up to ``at``, and its values in addition to `reset_values`.

    None if a newer reset has already been written.
    """
    newest, last_reset = _iso(latest(at)), item.get("last_reset_at", "")
    if last_reset > newest:
        return None
    write, values = _RESET, Values()
    if item.get("last_failure_at", "") > newest:
        met: set[str] = item["failures"]
        kept = {failure for failure in met if failure.partition(" ")[0] > newest}
        write = _FORGET
        values = {
            ":met": texts(met),
            ":kept": texts(kept),
            ":ids": texts(_ids(kept)),
            ":count": number(len(kept)),
        }
    # A reset later within the same second is not moved back.
    return _keeping_last_reset(write) if last_reset > _iso(at) else write, values


def reset_values(at: datetime, now: datetime, expires: datetime) -> Values:
    """Return the values used by any write of `reset_next`."""
    return {
        ":zero": number(0),
        ":at": text(_iso(at)),
        ":latest": text(_iso(latest(at))),
        ":now": number(_seconds(now)),
        ":expires": number(_seconds(expires)),
    }


def is_expired(item: Item, now: datetime) -> bool:
    """Return whether an item counts as absent; DynamoDB deletes expired items up to days later."""
    return "expires_at" in item and int(item["expires_at"]) <= _seconds(now)


@dataclass(frozen=True, slots=True)
class CountedUser:
    """The result of counting several failures of a user.

    ``counts`` are the results by message id, as of `KnownCount`. ``put`` makes them true: the
    ``Put`` of TransactWriteItems without its ``TableName``, or None if nothing is to be written.
    """

    counts: dict[str, int | None]
    put: dict[str, Any] | None


def count_all(
    read: Values, failures: Sequence[Failure], now: datetime, expires: datetime
) -> CountedUser:
    """Count failures of one user once each, given the item as read ({} for none).

    The condition of the put is that the item has not changed since, so the counts are known
    without reading it again.
    """
    known = plain(read)
    item, counts = known, dict[str, int | None]()
    for failure in failures:
        step = count_next(item, failure, now)
        if isinstance(step, KnownCount):
            counts[failure.message_id] = step.count
        else:
            item = _with({} if is_expired(item, now) else item, failure, expires)
            counts[failure.message_id] = item["failure_count"]
    if item is known:
        return CountedUser(counts, None)
    return CountedUser(counts, {"Item": with_notation(item), **_if_unchanged(read)})


def _with(item: Item, failure: Failure, expires: datetime) -> Item:
    kept = _newest(item.get("failures", set()) | {_entry(failure)})
    return {
        **item,
        "user_id": failure.user_id,
        "failure_count": len(kept),
        "message_ids": _ids(kept),
        "failures": kept,
        "last_failure_at": max(item.get("last_failure_at", ""), _iso(failure.at)),
        "expires_at": _seconds(expires),
    }


def _entry(failure: Failure) -> str:
    return f"{_iso(failure.at)} {failure.message_id}"


def _ids(entries: Iterable[str]) -> set[str]:
    return {entry.partition(" ")[2] for entry in entries}


def _newest(entries: set[str]) -> set[str]:
    return set(sorted(entries)[-MAX_COUNT:])


def _keeping_last_reset(write: Write) -> Write:
    update = write.update.replace(", last_reset_at = :at", "")
    return Write(update, write.condition.replace(_NEWEST_RESET, _NOT_RESET))


def _if_unchanged(read: Values) -> dict[str, Any]:
    """Return the condition that an item is still as it was read, or still absent."""
    if not read:
        return {"ConditionExpression": "attribute_not_exists(user_id)"}
    terms = (f"{n} = :{n}" if n in read else f"attribute_not_exists({n})" for n in _ATTRIBUTES)
    return {
        "ConditionExpression": " AND ".join(terms),
        "ExpressionAttributeValues": {f":{n}": read[n] for n in _ATTRIBUTES if n in read},
    }


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _iso(moment: datetime) -> str:
    # Constant width, so that the strings sort like the times.
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
