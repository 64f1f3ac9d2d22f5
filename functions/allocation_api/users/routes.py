"""Routes of users."""

from allocation_api.errors import not_found
from allocation_api.routing import Router
from allocation_api.settings import ApiSettings
from allocation_api.users import queries
from allocation_api.users.editor import UserEditor
from allocation_api.users.models import User, UserChange
from allocation_api.users.payments import PaymentCount
from allocation_api.wire import PathId
from scheduler.database.connection import Database
from scheduler.unit_of_work import UnitsOfWork


def user_routes(database: Database, settings: ApiSettings, units: UnitsOfWork) -> Router:
    """Return the routes, which show users and change them."""
    router = Router()
    editor = UserEditor(units)
    payments = PaymentCount(settings)

    @router.get("/api/users/<user_id>")
    def look_up(user_id: PathId) -> User:
        with database.transaction() as sql:
            found = queries.find(sql, user_id)
        if found is None:
            raise not_found("user")
        return User.model_validate(found._asdict() | {"payment_failures": payments.of(user_id)})

    @router.put("/api/users/<user_id>")
    def change(user_id: PathId, body: UserChange) -> User:
        editor.change(user_id, body.model_dump(exclude_unset=True), router.caller.actor)
        return look_up(user_id)

    return router
