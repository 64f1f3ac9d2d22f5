"""Overdue and missing deliveries are found, reported and created."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from scheduler.database.connection import connect
from scheduler.database.times import to_sql
from scheduler.domain.model import UserStatus
from tests.integration.housekeeping.conftest import (
    Housekeeping,
    Reports,
    add_bare_notification,
    add_notification,
    before_transaction,
)
from tests.support.world import MINUTE, NOW, SECOND, user, world

if TYPE_CHECKING:
    from tests.support.store import Store


def test_a_delivery_due_for_ten_minutes_is_reported_and_the_dispatcher_nudged(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    add_notification(store, "late", NOW - 10 * MINUTE)
    add_notification(store, "in time", NOW - 10 * MINUTE + SECOND)
    add_notification(store, "sent", NOW - 60 * MINUTE, status="sent")
    add_notification(store, "retried", NOW - 60 * MINUTE, due=NOW + MINUTE, attempts=3)
    ((id_,),) = store.rows("SELECT id FROM notification_deliveries WHERE notification_id = 'late'")

    assert (housekeeping.run("reconcile-deliveries"), housekeeping.nudges) == (1, 1)

    assert reports.findings() == {"delivery_overdue": 1}
    assert reports.ids == {"delivery_overdue": [id_]}
    assert store.rows("SELECT COUNT(*) FROM notification_deliveries WHERE status = 'pending'") == [
        (3,)
    ]


def channels(store: Store) -> list[tuple[str, str]]:
    return store.rows("SELECT notification_id, channel FROM notification_deliveries ORDER BY id")


def test_missing_deliveries_are_created_for_the_channels_of_the_kind(
    store: Store, housekeeping: Housekeeping, reports: Reports
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store, "n1", "billing_alert.overdue", urgent=1)
    add_bare_notification(store, "n2", "device_released")
    add_notification(store, "n3", NOW - MINUTE)

    assert (housekeeping.run("reconcile-notifications"), housekeeping.nudges) == (2, 1)

    assert channels(store)[1:] == [
        ("n1", "websocket"),
        ("n1", "email"),
        ("n1", "sms"),
        ("n2", "websocket"),
    ]
    assert reports.ids == {"notification_without_deliveries": ["n1", "n2"]}
    assert housekeeping.run("reconcile-notifications") == 0


@pytest.mark.parametrize(
    ("choices", "urgent", "found"),
    [
        ('{"billing_alert": {"websocket": false}}', 0, 0),
        ('{"billing_alert": {"websocket": false}}', 1, 1),
        ("{}", 0, 1),
    ],
)
def test_missing_deliveries_are_not_a_finding_if_the_user_may_have_switched_them_off(
    choices: str, urgent: int, found: int, store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1")))
    store.run(f"INSERT INTO notification_preferences SET user_id = 'u1', channels = '{choices}'")
    add_bare_notification(store, urgent=urgent)

    assert housekeeping.run("reconcile-notifications") == found


def test_no_deliveries_are_created_for_deleted_users_and_old_notifications(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1"), user("gone", status=UserStatus.DELETED)))
    add_bare_notification(store, "n1", user_id="gone")
    add_bare_notification(store, "n2", created_at=to_sql(NOW - 61 * MINUTE))

    assert housekeeping.run("reconcile-notifications") == 0


def test_no_deliveries_are_created_while_the_user_is_being_deleted(
    store: Store, housekeeping: Housekeeping
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store)

    with closing(connect(store.settings)) as connection, connection.cursor() as cursor:
        cursor.execute("UPDATE users SET status = 'deleted'")
        assert housekeeping.run("reconcile-notifications") == 0
        connection.commit()
    assert housekeeping.run("reconcile-notifications") == 0


def test_two_runs_create_each_delivery_once(
    store: Store, housekeeping: Housekeeping, database_url: str
) -> None:
    store.seed(world(user("u1")))
    add_bare_notification(store, kind="device_released")
    other = Housekeeping(database_url)
    before_transaction(housekeeping, 2, lambda: other.run("reconcile-notifications"))

    assert housekeeping.run("reconcile-notifications") == 0
    assert channels(store) == [("n1", "websocket")]
    other.database.close()
