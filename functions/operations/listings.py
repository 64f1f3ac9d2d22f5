"""Pages of devices and users, and everything about one user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from pydantic import Field

from operations.context import Arguments, Moment, OperationContext
from operations.errors import OpsError
from operations.json_data import to_json
from operations.lookups import UserArguments, read_user
from scheduler.database import listings
from scheduler.database.listings import MAX_SECONDS, SearchTooLongError
from scheduler.database.lookups import MAX_HELD
from scheduler.database.release_reasons import StoredReason
from scheduler.payments.failure import PaymentsUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import NamedTuple

    from scheduler.database.cursor import BulkCursor
    from scheduler.database.listings import ListedAllocation

_MAX_PAGE: Final = 200
_MAX_REQUESTS: Final = 50
"""Queued requests and reservations shown of a user; the newest."""


class _ListArguments(Arguments):
    search: str = Field(default="", max_length=64)
    """How the id begins."""
    after: str = Field(default="", max_length=64)
    limit: int = Field(default=50, ge=1, le=_MAX_PAGE)
    totals: bool = False
    """Whether to count all of them as well."""


class DevicesArguments(_ListArguments):
    """Which devices."""

    status: Literal["available", "allocated"] | None = None
    health: (
        Literal["running", "stopped", "error", "failed", "maintenance", "deleted", "unknown"] | None
    ) = None


class UsersArguments(_ListArguments):
    """Which users."""

    status: Literal["active", "suspended", "deleted"] | None = None
    billing_hold: bool | None = None


class AllocationsArguments(Arguments):
    """Whose allocations, from before which one."""

    user_id: str = Field(min_length=1, max_length=64)
    before: Moment | None = None
    before_id: str | None = Field(default=None, max_length=36, pattern="^[0-9a-z-]+$")
    limit: int = Field(default=50, ge=1, le=_MAX_PAGE)
    language: Literal["en", "zh-CN"] = "en"


def read_devices(context: OperationContext, arguments: DevicesArguments) -> dict[str, Any]:
    """Return a page of devices with their holders, and the number of all by status and health.

    Raises:
        OpsError: the search took too long.
    """
    filters = {"status": arguments.status, "health": arguments.health}
    with context.transaction() as cursor:
        return _page(cursor, listings.list_devices, arguments, filters) | {
            "totals": _totals(cursor, arguments, "devices", "status", "health")
        }


def read_users(context: OperationContext, arguments: UsersArguments) -> dict[str, Any]:
    """Return a page of users, and the number of all by status and billing hold.

    Raises:
        OpsError: the search took too long.
    """
    filters = {"status": arguments.status, "billing_hold": arguments.billing_hold}
    with context.transaction() as cursor:
        return _page(cursor, listings.list_users, arguments, filters) | {
            "totals": _totals(cursor, arguments, "users", "status", "billing_hold")
        }


def read_user_details(context: OperationContext, arguments: UserArguments) -> dict[str, Any]:
    """Return a user with their devices, queued requests, reservations and payment failures.

    ``more`` names the lists that are longer than shown. ``paymentFailures`` is None if DynamoDB
    does not answer; ``paymentProblem`` then says why.

    Raises:
        OpsError: there is no such user.
    """
    id_ = arguments.user_id
    found = read_user(context, arguments)
    with context.transaction() as cursor:
        waiting = _all(listings.list_requests(cursor, id_, _MAX_REQUESTS + 1))
        reservations = _all(listings.list_reservations(cursor, id_, _MAX_REQUESTS + 1))
    more = ["devices"] if len(found["devices"]) >= MAX_HELD else []
    for name, rows in (("waiting", waiting), ("reservations", reservations)):
        found[name] = rows[:_MAX_REQUESTS]
        more += [name] if len(rows) > _MAX_REQUESTS else []
    failures, problem = None, None
    try:
        failures = context.payments().current(id_, context.now)
    except (OpsError, PaymentsUnavailableError) as error:
        problem = str(error)
    return found | {"more": more, "paymentFailures": failures, "paymentProblem": problem}


def read_allocations(context: OperationContext, arguments: AllocationsArguments) -> dict[str, Any]:
    """Return a user's allocations, the newest first; ``next`` names the following page."""
    before = (arguments.before or context.now, arguments.before_id)
    with context.transaction() as cursor:
        rows = listings.list_allocations(cursor, arguments.user_id, before, arguments.limit + 1)
    shown = rows[: arguments.limit]
    following = None
    if len(rows) > len(shown):
        following = {"before": shown[-1].allocated_at.isoformat(), "beforeId": shown[-1].id}
    return {"items": [_told(one, arguments.language) for one in shown], "next": following}


def _told(one: ListedAllocation, language: str) -> dict[str, Any]:
    stored = StoredReason(one.release_code, one.release_reason, one.release_details)
    about = to_json(one) | {"releaseReason": stored.in_language(language)}
    del about["releaseDetails"]
    return about


def _page(
    cursor: BulkCursor,
    list_some: Callable[..., Sequence[NamedTuple]],
    arguments: _ListArguments,
    filters: Mapping[str, object],
) -> dict[str, Any]:
    chosen = {name: value for name, value in filters.items() if value is not None}
    try:
        rows = list_some(cursor, arguments.search, chosen, arguments.after, arguments.limit + 1)
    except SearchTooLongError:
        raise OpsError(
            f"the search took more than {MAX_SECONDS:g} s; enter the beginning of an id"
        ) from None
    items = _all(rows[: arguments.limit])
    following = {"after": items[-1]["id"]} if len(rows) > len(items) else None
    return {"items": items, "next": following}


def _totals(
    cursor: BulkCursor, arguments: _ListArguments, table: str, *columns: str
) -> list[list[Any]] | None:
    """Return rows such as ``["available", "running", 12]``; None if not asked or not known."""
    if not arguments.totals:
        return None
    try:
        return [list(row) for row in listings.count_by(cursor, table, *columns)]
    except SearchTooLongError:
        return None


def _all(rows: Sequence[NamedTuple]) -> list[dict[str, Any]]:
    return [to_json(row) for row in rows]
