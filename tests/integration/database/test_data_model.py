"""The diagram in docs/data-model.md shows the tables that the migrations make."""

import re
from itertools import groupby

from local.paths import ROOT
from tests.support.store import Store

PAGE = ROOT / "docs/data-model.md"
COLUMNS = """
    SELECT table_name, column_name, data_type, column_key FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name NOT LIKE '%%yoyo%%'
    ORDER BY table_name, ordinal_position
"""


def entities(store: Store) -> dict[str, str]:
    """Return each table as an entity of Mermaid's ER diagrams."""
    return {
        table: "\n".join([f"    {table} {{", *(attribute(*row[1:]) for row in columns), "    }"])
        for table, columns in groupby(store.rows(COLUMNS), lambda row: row[0])
    }


def attribute(column: str, data_type: str, key: str) -> str:
    shown = {"PRI": " PK", "UNI": " UK"}.get(key, "")
    return f"        {data_type} {column}{shown}"


def test_diagram_shows_every_table_with_its_columns(store: Store) -> None:
    page = PAGE.read_text("utf-8")
    expected = entities(store)
    drawn = re.findall(r"^    (\w+) \{$", page, re.MULTILINE)

    missing = "\n".join(entity for entity in expected.values() if entity not in page)

    assert not missing, f"put these into the diagram of docs/data-model.md:\n{missing}"
    assert sorted(drawn) == sorted(expected), "tables of docs/data-model.md that do not exist"


def test_every_table_is_explained(store: Store) -> None:
    rows = re.findall(r"^\| `([a-z_]+)` \|", PAGE.read_text("utf-8"), re.MULTILINE)

    assert sorted(rows) == sorted(entities(store))
