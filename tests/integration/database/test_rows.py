"""Rows are read as PyMySQL reads them."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any, Final

import pytest
from pymysql.connections import MySQLResult

from scheduler.database import wire
from scheduler.database.connection import connect

if TYPE_CHECKING:
    from tests.support.store import Store

VALUES: Final = {
    "nothing": "NULL, NULL, NULL",
    "numbers": "-1, 18446744073709551615, CAST(1.50 AS DECIMAL(9, 2)), 0.1e0, TRUE",
    "times": "CAST('2026-03-01 12:00:00.000005' AS DATETIME(6)), CURDATE(), CAST('01:02' AS TIME)",
    "texts": "'', 'a', '设备 😀', JSON_OBJECT('a', '设备')",
    "bytes": "x'', x'00ff', UNHEX(SHA2('a', 256))",
    "lengths": ", ".join(f"REPEAT('a', {n})" for n in (250, 251, 65_535, 65_536, 1 << 20)),
}


@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES.keys())
def test_row_is_the_one_that_pymysql_reads(
    values: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    query = f"SELECT {values} UNION ALL SELECT {values}"
    found = rows(store, query)
    monkeypatch.setattr(wire, "RowsResult", MySQLResult)

    assert found == rows(store, query)
    assert len(found) == 2


def rows(store: Store, query: str) -> list[tuple[Any, ...]]:
    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())
