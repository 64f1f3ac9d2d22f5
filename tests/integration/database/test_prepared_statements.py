"""A server on which other sessions have prepared as many statements as it allows."""

from __future__ import annotations

from contextlib import closing, contextmanager
from itertools import count
from typing import TYPE_CHECKING

import pymysql
import pytest
from pymysql.constants import ER

from scheduler.database.connection import connect
from tests.support.events import message
from tests.support.statements import counted
from tests.support.world import held, world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.functions import Functions
    from tests.support.store import Store


@contextmanager
def all_prepared(store: Store) -> Iterator[None]:
    """Prepare statements in another session until the server refuses one."""
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        with pytest.raises(pymysql.MySQLError) as refused:
            any(cursor.execute(f"PREPARE s{number} FROM 'DO 1'") for number in count())
        assert refused.value.args[0] == ER.MAX_PREPARED_STMT_COUNT_REACHED
        yield


def test_rows_are_sent_as_text_after_one_more_attempt(store: Store, functions: Functions) -> None:
    store.seed(world(held("d1", by="u1"), held("d2", by="u2")))

    with all_prepared(store):
        first = functions.handle(message("user.suspended", userId="u1"))
        with counted(functions.database) as spent:
            second = functions.handle(message("user.suspended", userId="u2"))

    assert first == second == {"success": 1}
    assert spent.rollbacks == 0
    assert store.rows("SELECT DISTINCT status FROM allocations") == [("RELEASED",)]
