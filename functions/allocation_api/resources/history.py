"""The history of an allocation: who or which event changed it, when and why."""

from datetime import datetime
from enum import StrEnum

from allocation_api.access import Access, Router
from allocation_api.caller import Caller
from allocation_api.errors import not_found
from allocation_api.fields import PathId, ResponseBody
from scheduler.database import allocations
from scheduler.database.allocations import Action, HistoryEntry
from scheduler.database.connection import Database


class Kind(StrEnum):
    """The kinds of causes."""

    USER = "user"
    """The user who holds the device."""
    ADMINISTRATOR = "administrator"
    """Another user, who acted for them."""
    EVENT = "event"
    """A message of another service."""
    SCHEDULER = "scheduler"
    """The platform itself."""


class CauseResponse(ResponseBody):
    """Who or what caused a change.

    The ids of administrators and messages are shown to administrators only.
    """

    kind: Kind
    id: str | None
    queue: str | None


class EntryResponse(ResponseBody):
    """A change of an allocation; ``expiresAt`` is the new end after an extension."""

    at: datetime
    action: Action
    by: CauseResponse
    code: str | None
    reason: str | None
    expires_at: datetime | None


class HistoryResponse(ResponseBody):
    """All changes of an allocation, oldest first."""

    items: list[EntryResponse]


def history_routes(database: Database) -> Router:
    """Return the route that shows the history of an allocation."""
    router = Router()

    @router.get(
        "/api/allocations/<allocation_id>/history",
        operation_id="getHistory",
        summary="List who or which event changed an allocation, when and why",
    )
    @router.allow(Access.OWNER)
    def look_up(allocation_id: PathId) -> HistoryResponse:
        with database.transaction() as sql:
            found = allocations.find(sql, allocation_id)
            if found is None:
                raise not_found("allocation")
            router.caller.require(found.user_id)
            changes = allocations.history(sql, allocation_id)
        language = router.language or found.locale
        items = [_entry(change, found.user_id, router.caller, language) for change in changes]
        return HistoryResponse(items=items)

    return router


def _entry(change: HistoryEntry, holder: str, caller: Caller, language: str) -> EntryResponse:
    return EntryResponse(
        at=change.at,
        action=change.action,
        by=_cause(change.actor or "", holder, caller),
        code=change.reason.code,
        reason=change.reason.in_language(language),
        expires_at=change.expires_at,
    )


def _cause(cause: str, holder: str, caller: Caller) -> CauseResponse:
    source, _, name = cause.partition(":")
    if source == "user" and name == holder:
        return CauseResponse(kind=Kind.USER, id=name, queue=None)
    if source == "user":
        return CauseResponse(kind=Kind.ADMINISTRATOR, id=_for_admins(name, caller), queue=None)
    if source == "event":
        queue, _, message_id = name.partition(":")
        shown = {"id": _for_admins(message_id, caller), "queue": _for_admins(queue, caller)}
        return CauseResponse(kind=Kind.EVENT, **shown)
    return CauseResponse(kind=Kind.SCHEDULER, id=None, queue=None)


def _for_admins(value: str, caller: Caller) -> str | None:
    return value if caller.is_admin else None
