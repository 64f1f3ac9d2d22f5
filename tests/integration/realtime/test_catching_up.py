"""What a client missed: repeated in order, bounded, and joined to what comes live."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from realtime.inbox import NEWEST
from tests.integration.realtime.platform import receive

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

    from tests.integration.realtime.notices import Notices
    from tests.integration.realtime.platform import Platform

HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def messages(socket: ClientConnection, count: int) -> list[str]:
    return [receive(socket)["message"] for _ in range(count)]


def test_a_frame_has_the_form_of_the_contract(realtime: Platform, notices: Notices) -> None:
    made = datetime.now(UTC)
    id_ = notices.add("u1", "设备故障：Screen is dark", made=made)

    with realtime.connect("u1", since=(made - SECOND).isoformat().replace("+", "%2B")) as socket:
        frame = receive(socket)

    assert frame == {
        "type": "device_released",
        "id": id_,
        "title": "设备已释放",
        "message": "设备故障：Screen is dark",
        "data": {"deviceId": "d1"},
        "createdAt": made.isoformat(),
    }


def test_what_was_missed_since_a_notification_comes_in_order(
    realtime: Platform, notices: Notices
) -> None:
    now = datetime.now(UTC)
    notices.add("u1", "long ago", made=now - 2 * HOUR)
    seen = notices.add("u1", "seen", made=now - HOUR)
    for number in (3, 1, 2):
        notices.add("u1", f"missed {number}", made=now - HOUR + number * MINUTE)
    notices.add("u1", "read", made=now - MINUTE, read=True)
    notices.add("u2", "of somebody else", made=now - MINUTE)
    notices.add("u1", "by e-mail only", made=now - MINUTE, channels=["email"])
    notices.add("u1", "last", made=now)

    with realtime.connect("u1", since=seen) as socket:
        assert messages(socket, 4) == ["missed 1", "missed 2", "missed 3", "last"]


def test_what_is_a_little_older_than_the_last_seen_comes_again(
    realtime: Platform, notices: Notices
) -> None:
    now = datetime.now(UTC)
    made = now - HOUR
    notices.add("u1", "surely there before", made=made - MINUTE)
    notices.add("u1", "perhaps committed later", made=made - SECOND)
    seen = notices.add("u1", "seen", made=made)
    notices.add("u1", "newest", made=now)

    with realtime.connect("u1", since=seen) as socket:
        assert messages(socket, 2) == ["perhaps committed later", "newest"]


def test_of_very_many_the_newest_come(realtime: Platform, notices: Notices) -> None:
    ids = notices.add_many("u1", NEWEST + 20, datetime.now(UTC) - HOUR)

    with realtime.connect("u1", since="2025-01-01T00:00:00Z") as socket:
        assert [receive(socket)["id"] for _ in range(NEWEST)] == ids[-NEWEST:]


def test_who_names_no_point_gets_what_came_since_his_ticket(
    realtime: Platform, notices: Notices
) -> None:
    now = datetime.now(UTC)
    notices.add("u1", "before", made=now - SECOND)
    ticket = realtime.ticket("u1", now)
    notices.add("u1", "while connecting", made=now + timedelta(milliseconds=5))

    with realtime.open(ticket) as socket:
        assert receive(socket)["message"] == "while connecting"


def test_a_client_may_ask_again_at_any_time(realtime: Platform, notices: Notices) -> None:
    now = datetime.now(UTC)
    seen = notices.add("u1", "seen", made=now - HOUR)
    notices.add("u1", "lost on the way", made=now - MINUTE)

    with realtime.connect("u1") as socket:
        socket.send(json.dumps({"since": seen}))

        assert receive(socket)["message"] == "lost on the way"


def test_anything_else_a_client_says_keeps_the_connection_alive(
    realtime: Platform, notices: Notices
) -> None:
    with realtime.connect("u1") as socket:
        for said in ("", "ping", "{}", "[]", '{"action": "ping"}', "[" * 100_000):
            socket.send(said)
        seen = notices.add("u1", "asked for")
        socket.send('{"since": "2025-01-01T00:00:00Z"}')

        assert receive(socket)["id"] == seen


def test_nonsense_is_answered_with_an_error(realtime: Platform) -> None:
    with realtime.connect("u1") as socket:
        for said in ('{"since": "yesterday"}', '{"since": 7}', '{"since": ["x"]}'):
            socket.send(said)
            assert receive(socket)["error"]["code"] == "invalid_since"


def test_who_asks_again_at_once_is_told_to_wait_and_others_are_not(
    realtime: Platform, notices: Notices
) -> None:
    missed = notices.add("u1", "lost on the way", made=datetime.now(UTC) - MINUTE)
    asked = '{"since": "2025-01-01T00:00:00Z"}'
    with realtime.connect("u1") as eager, realtime.connect("u1") as patient:
        eager.send(asked)
        assert receive(eager)["id"] == missed
        eager.send(asked)
        assert receive(eager)["error"]["code"] == "too_often"

        patient.send(asked)
        assert receive(patient)["id"] == missed
