"""A user or device is found blocked by a lock on any of their rows, in whatever table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from scheduler.database.locked_rows import find_blocked
from tests.support.events import message
from tests.support.locks import locked
from tests.support.world import HOUR, NOW, held, world

if TYPE_CHECKING:
    from collections.abc import Collection

    from scheduler.database.connection import Database
    from tests.support.functions import Functions
    from tests.support.store import Store

USERS: Final = ("u1", "u2", "u3")
DEVICES: Final = ("d1", "d2", "d3")

LOCKS: Final = (
    "SELECT id FROM users WHERE id = 'u2' FOR UPDATE",
    "SELECT user_id FROM notification_preferences WHERE user_id = 'u2' FOR UPDATE",
    "UPDATE event_versions SET version = 9 WHERE aggregate = 'user' AND id = 'u2'",
    "INSERT INTO event_versions VALUES ('user', 'u2', 'billing', 1, NOW(), NULL)",
    "UPDATE waiting SET priority = 3 WHERE user_id = 'u2'",
    "UPDATE reservations SET min_cpu_cores = 1 WHERE user_id = 'u2'",
    "UPDATE devices SET name = 'other' WHERE id = 'd2'",
    "SELECT id FROM event_versions WHERE aggregate = 'device' AND id = 'd2' FOR UPDATE",
    "UPDATE early_reports SET version = 9 WHERE device_id = 'd2'",
    "UPDATE allocations SET expires_at = NOW() WHERE id = 'allocation-of-d2'",
    "SELECT id FROM allocations WHERE user_id = 'u2' FOR UPDATE",
)

LOCKS_OF_AN_ERASURE: Final = (
    "UPDATE notifications SET read_at = NOW() WHERE id = 'notification-of-u2'",
    "UPDATE notification_deliveries SET attempts = 1 WHERE notification_id = 'notification-of-u2'",
    "UPDATE erasures SET finished_at = NOW() WHERE user_id = 'u2'",
)


@pytest.fixture
def holders(store: Store) -> Store:
    """Users with a device, preferences, marks, a waiting entry and a reservation each."""
    store.seed(world(*(held(d, by=u) for u, d in zip(USERS, DEVICES, strict=True))))
    store.insert("notification_preferences", "user_id, channels", [(u, "{}") for u in USERS])
    marks = [("user", u, "account", NOW) for u in USERS]
    marks += [("device", d, "health", NOW) for d in DEVICES]
    store.insert("event_versions", "aggregate, id, concern, occurred_at", marks)
    reports = [(d, "failed", NOW) for d in DEVICES]
    store.insert("early_reports", "device_id, health, occurred_at", reports)
    times = (NOW, NOW + HOUR)
    store.insert(
        "waiting",
        "id, user_id, priority, minutes, min_cpu_cores, min_memory_mb, created_at, expires_at",
        [(f"entry-of-{u}", u, 0, 30, 0, 0, *times) for u in USERS],
    )
    store.insert(
        "reservations",
        "id, user_id, device_id, starts_at, ends_at, min_cpu_cores, min_memory_mb, created_at",
        [(f"slot-of-{u}", u, "d1", *times, 0, 0, NOW) for u in USERS],
    )
    return store


@pytest.fixture
def notified(holders: Store) -> Store:
    """The holders with two notifications, a delivery and an unfinished erasure each."""
    texts = [
        (f"{n}-of-{u}", u, f"{n}-of-{u}") for u in USERS for n in ("notification", "undelivered")
    ]
    holders.insert(
        "notifications",
        "id, user_id, dedupe_key, type, title, message, data, created_at",
        [(*one, "type", "", "", "{}", NOW) for one in texts],
    )
    holders.insert(
        "notification_deliveries",
        "notification_id, user_id, channel, kind, next_attempt_at",
        [(f"notification-of-{u}", u, "email", "kind", NOW) for u in USERS],
    )
    holders.insert("erasures", "user_id, requested_at", [(u, NOW) for u in USERS])
    return holders


def blocked(
    database: Database, users: Collection[str], devices: Collection[str], *, erases: bool = False
) -> set[str]:
    with database.transaction() as cursor:
        return find_blocked(cursor, users, devices, erases=erases)


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_on_any_row_blocks_the_user_and_the_device_they_hold(
    lock: str, holders: Store, database: Database
) -> None:
    with locked(holders.settings, lock):
        assert blocked(database, USERS, ()) == {"u2"}
        assert blocked(database, (), DEVICES) == {"d2"}


@pytest.mark.parametrize("lock", LOCKS_OF_AN_ERASURE)
def test_a_lock_on_what_an_erasure_changes_blocks_only_the_erasure_of_this_user(
    lock: str, notified: Store, database: Database
) -> None:
    with locked(notified.settings, lock):
        assert blocked(database, USERS, (), erases=True) == {"u2"}
        assert blocked(database, USERS, ()) == set()


def test_a_lock_on_a_notification_that_is_not_pending_blocks_no_erasure(
    notified: Store, functions: Functions
) -> None:
    with locked(
        notified.settings, "SELECT id FROM notifications WHERE id = 'undelivered-of-u2' FOR UPDATE"
    ):
        assert functions.handle(message("user.deleted", userId="u2")) == {"success": 1}


@pytest.mark.usefixtures("notified")
def test_nobody_is_blocked_if_nothing_is_locked(database: Database) -> None:
    assert blocked(database, (*USERS, "unknown"), (), erases=True) == set()
    assert blocked(database, (), (*DEVICES, "unknown")) == set()
