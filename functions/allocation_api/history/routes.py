"""The route of an allocation's history."""

from allocation_api.caller import Caller
from allocation_api.errors import not_found
from allocation_api.history.models import Cause, Entry, History, Kind
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.database import allocations
from scheduler.database.allocations import Change
from scheduler.database.connection import Database


def history_routes(database: Database) -> Router:
    """Return the route, which shows who did what to an allocation, when and why."""
    router = Router()

    @router.get("/api/allocations/<allocation_id>/history")
    def look_up(allocation_id: PathId) -> History:
        with database.transaction() as sql:
            found = allocations.find(sql, allocation_id)
            if found is None:
                raise not_found("allocation")
            router.caller.require(found.user_id)
            changes = allocations.history(sql, allocation_id)
        return History(items=[_entry(one, found.user_id, router.caller) for one in changes])

    return router


def _entry(change: Change, holder: str, caller: Caller) -> Entry:
    return Entry(
        at=change.at,
        action=change.action,
        by=_cause(change.cause or "", holder, caller),
        code=change.code,
        reason=change.reason,
        expires_at=change.expires_at,
    )


def _cause(cause: str, holder: str, caller: Caller) -> Cause:
    source, _, name = cause.partition(":")
    match source:
        case "user" if name == holder:
            return Cause(kind=Kind.USER, id=name, queue=None)
        case "user":
            return Cause(kind=Kind.ADMINISTRATOR, id=_for_admins(name, caller), queue=None)
        case "event":
            queue, _, message_id = name.partition(":")
            shown = _for_admins(message_id, caller), _for_admins(queue, caller)
            return Cause(kind=Kind.EVENT, id=shown[0], queue=shown[1])
    return Cause(kind=Kind.SCHEDULER, id=None, queue=None)


def _for_admins(what: str, caller: Caller) -> str | None:
    return what if caller.is_admin else None
