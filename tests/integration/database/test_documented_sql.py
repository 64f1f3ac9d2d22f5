"""The SQL of the runbooks runs on the server that they are about."""

from __future__ import annotations

import re
from contextlib import closing
from typing import TYPE_CHECKING, Final

import pytest

from local.paths import ROOT

if TYPE_CHECKING:
    from local.servers.mariadb import MariaDB

STATEMENTS: Final = sorted(
    set(re.findall(r"\bsql '([^']+)'", (ROOT / "docs/runbooks.md").read_text("utf-8")))
)
"""Without those of RDS, such as `mysql.rds_kill`, which are in double quotes."""


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statement_of_a_runbook_is_understood(statement: str, mariadb: MariaDB) -> None:
    with closing(mariadb.connect()) as connection, connection.cursor() as cursor:
        cursor.execute("PREPARE documented FROM %s", (statement,))  # its right to read is not ours
