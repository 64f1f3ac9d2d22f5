"""Routes of places in line."""

from allocation_api.errors import not_found
from allocation_api.routing import Router
from allocation_api.waiting.models import WaitingPlace, WaitingPlaces
from allocation_api.waiting.shown import shown
from allocation_api.wire import PathId
from scheduler.allocation.waiting_line import WaitingLine
from scheduler.database import waiting
from scheduler.database.connection import Database
from scheduler.domain.waiting import WaitingEntry


def waiting_routes(database: Database, line: WaitingLine) -> Router:
    """Return the routes, which look up places in line and give them up."""
    router = Router()

    @router.get("/api/allocations/waiting/<place_id>")
    def look_up(place_id: PathId) -> WaitingPlace:
        return _shown(_owned(place_id))

    @router.delete("/api/allocations/waiting/<place_id>")
    def leave(place_id: PathId) -> WaitingPlace:
        return _shown(line.leave(_owned(place_id)))

    @router.get("/api/allocations/waiting/user/<user_id>")
    def of_user(user_id: PathId) -> WaitingPlaces:
        with database.transaction() as sql:
            return WaitingPlaces(items=shown(sql, waiting.of_user(sql, user_id)))

    def _owned(place_id: str) -> WaitingEntry:
        with database.transaction() as sql:
            found = waiting.find(sql, place_id)
        if found is None:
            raise not_found("place in line")
        router.caller.require(found.user_id)
        return found

    def _shown(place: WaitingEntry) -> WaitingPlace:
        with database.transaction() as sql:
            return shown(sql, [place])[0]

    return router
