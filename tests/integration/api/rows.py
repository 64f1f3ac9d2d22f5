"""Inserts and reads rows without the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.rows import named_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pymysql.cursors import Cursor


class Rows:
    """Runs statements that are committed at once."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    def user(self, id_: str = "u1", **columns: object) -> None:
        """Insert a user with a quota of 10 devices."""
        self._insert("users", {"id": id_, "max_devices": 10, **columns})

    def device(self, id_: str = "d1", **columns: object) -> None:
        """Insert a device of 4 cores and 8 GB whose name is its id."""
        size = {"cpu_cores": 4, "memory_mb": 8192, "storage_mb": 65536}
        adb = {"adb_host": "10.0.0.1", "adb_port": 5555}
        self._insert("devices", {"id": id_, "name": id_, **size, **adb, **columns})

    def devices(self, count: int) -> None:
        """Insert devices d001, d002, …"""
        for number in range(1, count + 1):
            self.device(f"d{number:03}")

    def update(self, table: str, id_: str, **columns: object) -> None:
        """Update a row."""
        assignments = ", ".join(f"{name} = %s" for name in columns)
        statement = f"UPDATE {table} SET {assignments} WHERE id = %s"  # noqa: S608 - our names
        self.run(statement, *columns.values(), id_)

    def all(self, query: str, *parameters: object) -> list[Any]:
        """Return the rows of a query, as named tuples."""
        self._cursor.execute(query, parameters)
        return named_rows(self._cursor)

    def column(self, query: str, *parameters: object) -> list[Any]:
        """Return the first column of a query."""
        return [row[0] for row in self.all(query, *parameters)]

    def run(self, statement: str, *parameters: object) -> None:
        """Execute a statement."""
        self._cursor.execute(statement, parameters)

    def _insert(self, table: str, columns: Mapping[str, object]) -> None:
        names, marks = ", ".join(columns), ", ".join(["%s"] * len(columns))
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks})"  # noqa: S608 - our names
        self.run(statement, *columns.values())
