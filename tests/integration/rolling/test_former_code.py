"""The former release runs on the schema of the current one: between the migrations and its end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import pytest

from tests.integration.rolling.requests import use_all
from tests.integration.rolling.subjects import events

if TYPE_CHECKING:
    from tests.integration.rolling.conftest import Schema
    from tests.integration.rolling.release import Release
    from tests.support.store import Store

_COLUMNS: Final = """
    SELECT table_name, GROUP_CONCAT(column_name ORDER BY ordinal_position)
    FROM information_schema.columns
    WHERE table_schema = DATABASE() AND table_name NOT LIKE '%%yoyo%%'
        AND table_name NOT LIKE 'mass_failure_%%'
        AND data_type IN ('varchar', 'text', 'enum', 'tinyint', 'smallint', 'int')
        AND column_name NOT IN ('dedupe_key', 'duration_seconds', 'message', 'provider_message_id')
    GROUP BY table_name
"""
"""The columns whose values do not depend on the time, on chance or on the order of the rows."""

Content = dict[str, list[Any]]


def columns(store: Store) -> dict[str, str]:
    return dict(store.rows(_COLUMNS))


def content(store: Store, columns: dict[str, str]) -> Content:
    """Return the rows of all tables, in an order that does not depend on their ids."""
    return {
        table: sorted(store.rows(f"SELECT {names} FROM {table}"), key=repr)  # noqa: S608 - the catalogue's names
        for table, names in columns.items()
    }


def do_everything(release: Release, store: Store) -> dict[str, Any]:
    """Have each function do all that it does, and return what it answered."""
    return {
        "events": release.consume(*events()),
        "requests": use_all(release),
        "jobs": release.invoke("housekeeping", {}),
        "sent": release.send_all(store),
    }


def test_former_release_does_the_same_on_both_schemas(
    former: Release, schema: Schema, store: Store
) -> None:
    of_former = columns(store)
    before = do_everything(former, store), content(store, of_former)
    schema.begin()
    schema.finish()

    assert (do_everything(former, store), content(store, of_former)) == before

    answers = before[0]
    assert answers["events"] == {"success": len(events())}
    assert max(answers["requests"]) < 300
    assert {job["status"] for job in answers["jobs"].values()} == {"done"}
    assert set(answers["sent"]) == {"published", "websocket_sent", "websocket_skipped"} | {
        "email_sent",
        "sms_sent",
    }


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE users RENAME COLUMN max_cpu TO max_cores",
        "ALTER TABLE processed_messages ADD COLUMN shard INT NOT NULL",
        "ALTER TABLE outgoing_events DROP COLUMN body",
        "ALTER TABLE event_versions MODIFY concern ENUM('account','quota','billing') NOT NULL",
    ],
)
def test_change_that_former_code_does_not_survive_is_noticed(
    former: Release, schema: Schema, store: Store, change: str
) -> None:
    schema.finish()
    store.run(change)

    assert former.consume(*events()) != {"success": len(events())}


def test_user_whom_the_former_release_deletes_is_erased_by_the_current_one(
    former: Release, current: Release, schema: Schema, store: Store
) -> None:
    schema.finish()
    former.consume(*events())

    current.invoke("housekeeping", {"jobs": ["erase-deleted-users"]})

    ((deleted,),) = store.rows("SELECT id FROM users WHERE status = 'deleted'")
    assert store.rows("SELECT user_id FROM erasures") == [(deleted,)]
