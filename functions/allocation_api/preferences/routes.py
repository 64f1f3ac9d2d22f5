"""Routes of preferences."""

from allocation_api.preferences import queries
from allocation_api.preferences.models import Preferences
from allocation_api.routing import Router
from allocation_api.wire import PathId
from scheduler.allocation.refusal import require_existing
from scheduler.database import load
from scheduler.database.connection import Database
from scheduler.database.retry import run_again_when_overtaken


def preference_routes(database: Database) -> Router:
    """Return the routes, which show what a user chose and replace it."""
    router = Router()

    @router.get("/api/users/<user_id>/preferences")
    def look_up(user_id: PathId) -> Preferences:
        with database.transaction() as cursor:
            return Preferences.model_validate(queries.find(cursor, user_id))

    @router.put("/api/users/<user_id>/preferences")
    def replace(user_id: PathId, body: Preferences) -> Preferences:
        def run() -> None:
            with database.transaction() as cursor:
                # Locked, so that nothing of a user stays who is being erased.
                for user in load.snapshot(cursor, [user_id], []).users.values():
                    require_existing(user)
                queries.store(cursor, user_id, body)

        run_again_when_overtaken(run)
        return look_up(user_id)

    return router
