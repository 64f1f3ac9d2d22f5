"""Routes of preferences."""

from allocation_api.preferences import queries
from allocation_api.preferences.models import Preferences
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.database import load
from scheduler.database.connection import Database
from scheduler.database.cursor import BulkCursor
from scheduler.domain.refusal import require_existing


def preference_routes(database: Database) -> Router:
    """Return the routes, which show what a user chose and replace it."""
    router = Router()

    @router.get("/api/users/<user_id>/preferences")
    def look_up(user_id: PathId) -> Preferences:
        with database.transaction() as cursor:
            return Preferences.model_validate(queries.find(cursor, user_id))

    @router.put("/api/users/<user_id>/preferences")
    def replace(user_id: PathId, body: Preferences) -> Preferences:
        def store(cursor: BulkCursor) -> None:
            # Locked, so that nothing remains of a user who is being erased.
            for user in load.snapshot(cursor, [user_id], []).users.values():
                require_existing(user)
            queries.store(cursor, user_id, body)

        database.run(store)
        return look_up(user_id)

    return router
