"""All rows of canaries are deleted after an hour, and no others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID

from scheduler.database.times import to_sql
from scheduler.domain.model import CANARY_PREFIX
from tests.support.events import message
from tests.support.world import MINUTE, NOW, held, world

if TYPE_CHECKING:
    from tests.integration.housekeeping.conftest import Housekeeping
    from tests.support.functions import Functions
    from tests.support.store import Store

CANARY: Final = CANARY_PREFIX + str(UUID(int=1))
TABLES: Final = (
    *("users", "devices", "allocations", "event_versions", "processed_messages"),
    *("notifications", "notification_deliveries", "outgoing_events", "unapplied_messages"),
    *("letter_actions", "erasures", "early_reports"),
)


def rows(store: Store) -> dict[str, int]:
    counted = {table: store.rows(f"SELECT COUNT(*) FROM {table}") for table in TABLES}  # noqa: S608 - our own tables
    return {table: count for table, ((count,),) in counted.items()}


def live(functions: Functions) -> None:
    """Do to the canary what a run does, and invalid things."""
    changed = message("device.status_changed", deviceId=CANARY)
    functions.handle(
        message("device.created", deviceId=CANARY),
        message("device.failed", deviceId=CANARY),
        changed,
        changed,
        message("device.deleted", deviceId=CANARY),
        message("device.maintenance", deviceId=CANARY),  # is overtaken by the deletion
    )


def made_at(store: Store, age: int) -> None:
    moment = to_sql(NOW - age * MINUTE)
    for table in ("users", "devices"):
        store.run(f"UPDATE {table} SET created_at = '{moment}' WHERE id = '{CANARY}'")  # noqa: S608 - our own tables


def test_canary_is_deleted_after_an_hour_and_all_other_users_stay(
    store: Store, functions: Functions, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    functions.handle(message("device.failed"))
    before = rows(store)
    live(functions)
    functions.handle(message("user.deleted", userId=CANARY))
    store.run(
        "INSERT INTO letter_actions SET queue = 'q', message_id = 'm', action = 'replayed',"
        f" caller = 'c', acted_at = NOW(6), aggregate = 'device', subject_id = '{CANARY}'"
    )
    made_at(store, 59)
    assert housekeeping.run("purge") == 0

    made_at(store, 61)

    assert housekeeping.run("purge") == 1
    left = rows(store)
    # The message that deleted the user no longer says whom it was about; it goes after 30 days.
    assert left == before | {"processed_messages": before["processed_messages"] + 1}


def test_canary_of_a_killed_run_is_deleted_with_its_allocation(
    store: Store, functions: Functions, housekeeping: Housekeeping
) -> None:
    functions.handle(message("device.created", deviceId=CANARY))
    made_at(store, 61)

    assert housekeeping.run("purge") == 1
    assert rows(store) == dict.fromkeys(TABLES, 0)


def test_canary_named_after_another_users_allocation_does_not_affect_it(
    store: Store, functions: Functions, housekeeping: Housekeeping
) -> None:
    store.seed(world(held("d1")))
    store.run(f"UPDATE allocations SET id = '{UUID(int=1)}'")  # noqa: S608 - our own id
    functions.handle(message("device.failed"))
    before = rows(store)
    functions.handle(message("user.activated", userId=CANARY))
    made_at(store, 61)

    assert housekeeping.run("purge") == 1
    after = rows(store)
    assert after["allocations"] == before["allocations"] == 1
    assert after["outgoing_events"] == before["outgoing_events"] == 1
