"""The token of a deleted user opens nothing, whichever route it is sent to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from allocation_api.access import Access
from allocation_api.api import AllocationApi
from allocation_api.known_users import TRUSTED_SECONDS, KnownUsers
from allocation_api.settings import ApiSettings
from scheduler.database.connection import Database
from scheduler.domain.refusal import RefusedError
from scheduler.settings import DatabaseSettings
from tests.integration.api.client import ADMIN, user

if TYPE_CHECKING:
    from tests.integration.api.client import Client
    from tests.integration.api.rows import Rows

DELETED = {"code": "user_deleted", "message": "the account was deleted"}


def test_every_route_is_closed_to_a_deleted_user(
    api: Client, rows: Rows, api_environment: dict[str, str]
) -> None:
    rows.user("u1", status="deleted")
    rules = AllocationApi(ApiSettings.model_validate(api_environment)).rules
    closed = [route for route, access in rules.items() if access is not Access.ANYONE]
    assert len(closed) > 20

    refused = 0
    for method, template in closed:
        path = template.replace("{user_id}", "u1").replace("{", "").replace("}", "")
        reply = api.send(method, path, user("u1"), {})

        if reply.status != 422:  # a malformed request is refused before its caller is looked up
            assert reply.status == 403, (method, path)
            refused += reply.body == {"error": DELETED}
    assert refused > 10


def test_administrator_still_sees_a_deleted_user(api: Client, rows: Rows) -> None:
    rows.user("u1", status="deleted")

    assert api.get("/api/users/u1/notifications", ADMIN).status == 200


def test_deleted_administrator_is_refused(api: Client, rows: Rows) -> None:
    rows.user(ADMIN["sub"], status="deleted")

    assert api.get("/api/users/u2/notifications", ADMIN).code == "user_deleted"


def test_caller_is_looked_up_again_after_a_moment(rows: Rows, database_url: str) -> None:
    now = 0.0
    database = Database(DatabaseSettings.model_validate({"DATABASE_URL": database_url}))
    known = KnownUsers(database, lambda: now)
    rows.user("u1")
    known.refuse_deleted("u1")
    known.refuse_deleted("a stranger")
    rows.run("UPDATE users SET status = 'deleted'")

    known.refuse_deleted("u1")
    now = TRUSTED_SECONDS
    with pytest.raises(RefusedError):
        known.refuse_deleted("u1")
    with pytest.raises(RefusedError):
        known.refuse_deleted("u1")
