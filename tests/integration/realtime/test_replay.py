"""Replay of missed notifications: in order, limited, on connecting and on request."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

from realtime.replay import MAX_REPLAYED, find_missed
from scheduler.realtime.protocol import Since, first_id
from tests.integration.realtime.clients import receive
from tests.support.explaining import Explaining

if TYPE_CHECKING:
    from pymysql.cursors import Cursor
    from websockets.sync.client import ClientConnection

    from tests.integration.realtime.clients import Clients
    from tests.integration.realtime.stored_notifications import StoredNotifications
    from tests.support.store import Store

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def messages(socket: ClientConnection, count: int) -> list[str]:
    return [receive(socket)["message"] for _ in range(count)]


def test_frame_has_the_documented_fields(
    clients: Clients, notifications: StoredNotifications
) -> None:
    made = datetime.now(UTC)
    id_ = notifications.add("u1", "设备故障：Screen is dark", made=made)

    with clients.connect("u1", since=(made - SECOND).isoformat().replace("+", "%2B")) as socket:
        frame = receive(socket)

    assert frame == {
        "type": "device_released",
        "id": id_,
        "title": "设备已释放",
        "message": "设备故障：Screen is dark",
        "data": {"deviceId": "d1"},
        "createdAt": made.isoformat(),
    }


def test_unread_notifications_since_an_id_are_replayed_in_order(
    clients: Clients, notifications: StoredNotifications
) -> None:
    now = datetime.now(UTC)
    notifications.add("u1", "long ago", made=now - 2 * HOUR)
    seen = notifications.add("u1", "seen", made=now - HOUR)
    for number in (3, 1, 2):
        notifications.add("u1", f"missed {number}", made=now - HOUR + number * MINUTE)
    notifications.add("u1", "read", made=now - MINUTE, read=True)
    notifications.add("u2", "of another user", made=now - MINUTE)
    notifications.add("u1", "by e-mail only", made=now - MINUTE, channels=["email"])
    notifications.add("u1", "last", made=now)

    with clients.connect("u1", since=seen) as socket:
        assert messages(socket, 4) == ["missed 1", "missed 2", "missed 3", "last"]


def test_replay_starts_a_little_before_the_newest_seen_notification(
    clients: Clients, notifications: StoredNotifications
) -> None:
    now = datetime.now(UTC)
    made = now - HOUR
    notifications.add("u1", "committed before", made=made - MINUTE)
    notifications.add("u1", "may be committed later", made=made - SECOND)
    seen = notifications.add("u1", "seen", made=made)
    notifications.add("u1", "newest", made=now)

    with clients.connect("u1", since=seen) as socket:
        assert messages(socket, 2) == ["may be committed later", "newest"]


def test_only_the_newest_notifications_are_replayed(
    clients: Clients, notifications: StoredNotifications
) -> None:
    ids = notifications.add_many("u1", MAX_REPLAYED + 20, datetime.now(UTC) - HOUR)

    with clients.connect("u1", since="2025-01-01T00:00:00Z") as socket:
        assert [receive(socket)["id"] for _ in range(MAX_REPLAYED)] == ids[-MAX_REPLAYED:]


def test_without_since_the_replay_starts_when_the_ticket_was_issued(
    clients: Clients, notifications: StoredNotifications
) -> None:
    now = datetime.now(UTC)
    notifications.add("u1", "before", made=now - SECOND)
    ticket = clients.ticket("u1", now)
    notifications.add("u1", "while connecting", made=now + timedelta(milliseconds=5))

    with clients.open(ticket) as socket:
        assert receive(socket)["message"] == "while connecting"


def test_client_may_request_a_replay_later(
    clients: Clients, notifications: StoredNotifications
) -> None:
    now = datetime.now(UTC)
    seen = notifications.add("u1", "seen", made=now - HOUR)
    notifications.add("u1", "lost on the way", made=now - MINUTE)

    with clients.connect("u1") as socket:
        socket.send(json.dumps({"since": seen}))

        assert receive(socket)["message"] == "lost on the way"


def test_other_messages_keep_the_connection_open(
    clients: Clients, notifications: StoredNotifications
) -> None:
    with clients.connect("u1") as socket:
        for message in ("", "ping", "{}", "[]", '{"action": "ping"}', "[" * 100_000):
            socket.send(message)
        seen = notifications.add("u1", "requested")
        socket.send('{"since": "2025-01-01T00:00:00Z"}')

        assert receive(socket)["id"] == seen


def test_invalid_since_is_answered_with_an_error(clients: Clients) -> None:
    with clients.connect("u1") as socket:
        for message in ('{"since": "yesterday"}', '{"since": 7}', '{"since": ["x"]}'):
            socket.send(message)
            assert receive(socket)["error"]["code"] == "invalid_since"


def test_replay_requests_are_limited_per_connection(
    clients: Clients, notifications: StoredNotifications
) -> None:
    missed = notifications.add("u1", "lost on the way", made=datetime.now(UTC) - MINUTE)
    request = '{"since": "2025-01-01T00:00:00Z"}'
    with clients.connect("u1") as first, clients.connect("u1") as second:
        first.send(request)
        assert receive(first)["id"] == missed
        first.send(request)
        assert receive(first)["error"]["code"] == "too_often"

        second.send(request)
        assert receive(second)["id"] == missed


MANY_NOTIFICATIONS = """
    INSERT INTO notifications (id, user_id, type, title, message, data, dedupe_key, created_at)
    SELECT CONCAT(%s, LPAD(seq, 12, '0')), CONCAT('u', seq %% 200), 'x', 'x', 'x', '{}', seq, %s
    FROM seq_1_to_20000;
"""
MANY_DELIVERIES = """
    INSERT INTO notification_deliveries (notification_id, channel, next_attempt_at)
    SELECT id, 'websocket', created_at FROM notifications
"""


def test_query_reads_only_the_users_own_recent_notifications(store: Store) -> None:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    ids = first_id(since + HOUR)[:-12]
    with store.database.transaction() as cursor:
        cursor.execute(MANY_NOTIFICATIONS, (ids, since))
    store.run(MANY_DELIVERIES, "ANALYZE TABLE notifications, notification_deliveries")
    explaining = Explaining(store.rows)

    find_missed(cast("Cursor", explaining), "u1", Since.exactly(since))

    assert explaining.steps[0].type == "range"
    assert explaining.used() == [("n", "inbox"), ("d", "one_per_channel")]
