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
INDICES = """
    SELECT DISTINCT CONCAT(table_name, '.', index_name) FROM information_schema.statistics
    WHERE table_schema = DATABASE() AND index_name <> 'PRIMARY' AND table_name IN %(tables)s
"""
WRITTEN = (
    *("devices", "allocations", "event_versions", "processed_messages", "notifications"),
    *("notification_deliveries", "outgoing_events"),
)
"""Tables that a batch of device.failed writes."""


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


def test_every_index_that_a_batch_maintains_is_explained(store: Store) -> None:
    section = PAGE.read_text("utf-8").partition("| index | needed by |")[2]
    explained = re.findall(r"`(\w+\.\w+)`", section.partition("\n\nWhich rows")[0])
    with store.database.transaction() as cursor:
        cursor.execute(INDICES, {"tables": WRITTEN})
        existing = [name for (name,) in cursor.fetchall()]

    assert sorted(explained) == sorted(existing)
