"""How the server executes the dispatcher's statements."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from pymysql.cursors import DictCursor

from scheduler.database.connection import connect

if TYPE_CHECKING:
    from tests.support.store import Store


def plan_of(store: Store, statement: str, *parameters: object) -> dict[str, str]:
    """Return by table which index the server uses; fail if it sorts."""
    with closing(connect(store.settings)) as connection, connection.cursor(DictCursor) as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        rows = cursor.fetchall()
    assert not any("filesort" in row["Extra"] for row in rows)
    return {row["table"]: row["key"] for row in rows if row["table"] != "p"}
