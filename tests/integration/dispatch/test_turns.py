"""Users take turns: a flood of one user's notifications does not delay those of others."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.domain.notices import Channel
from scheduler.outbox import turns
from scheduler.outbox.claims import Claims
from scheduler.outbox.delivery import SUPERSEDED, DeliveryOutcome, DeliveryResult
from scheduler.outbox.turns import _USERS_IN_TURN, TURN_SIZE
from tests.integration.dispatch.outbox import NewNotification, Outbox, to_each_user
from tests.integration.dispatch.plans import plan_of
from tests.integration.dispatch.workers import EMAIL_ONLY, WEBSOCKET_ONLY
from tests.support.locks import locked
from tests.support.statements import counted
from tests.support.world import MINUTE, NOW, SECOND

if TYPE_CHECKING:
    from scheduler.database.connection import Database
    from scheduler.outbox.delivery import Delivery
    from tests.support.clock import Clock
    from tests.support.store import Store

FLOOD = 5 * TURN_SIZE


@pytest.fixture
def frames(database: Database, clock: Clock) -> Claims:
    return Claims(database, Channel.WEBSOCKET, clock)


def users(claimed: list[Delivery]) -> list[str]:
    return [one.recipient.user_id for one in claimed]


def frame(device: str, *, urgent: bool = False) -> NewNotification:
    data = f'{{"deviceId": "{device}"}}'
    return NewNotification("loud", channels=WEBSOCKET_ONLY, data=data, urgent=urgent)


def test_user_has_at_most_one_turn_in_a_claim(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification("loud", EMAIL_ONLY) for _ in range(FLOOD)])
    outbox.add(*[NewNotification(name, EMAIL_ONLY) for name in ("a", "z")])

    claimed = Counter(users(claims.claim(100, MINUTE)))

    assert claimed == {"loud": TURN_SIZE, "a": 1, "z": 1}


def test_quiet_users_come_first_if_not_all_can_be_claimed(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification("loud", EMAIL_ONLY) for _ in range(FLOOD)])
    outbox.add(*to_each_user(3, channels=EMAIL_ONLY))

    assert len(set(users(claims.claim(4, MINUTE)))) == 4


def test_user_whose_turn_has_not_ended_is_skipped(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification(name, EMAIL_ONLY) for name in ("busy", "free")])

    assert users(claims.claim(100, MINUTE, {"busy"})) == ["free"]
    assert users(claims.claim(100, MINUTE)) == ["busy"]


def test_every_user_has_a_turn_before_anyone_has_another(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*to_each_user(7, channels=EMAIL_ONLY), *to_each_user(7, channels=EMAIL_ONLY))

    turns = [users(claims.claim(1, MINUTE))[0] for _ in range(14)]

    assert sorted(turns[:7]) == sorted(turns[7:]) == [f"user-{n}" for n in range(7)]


def test_users_who_always_have_something_due_do_not_keep_others_from_their_turn(
    claims: Claims, outbox: Outbox
) -> None:
    outbox.add(*[NewNotification(name, EMAIL_ONLY) for name in "abcd"])

    assert users(claims.claim(2, MINUTE)) == ["a", "b"]
    outbox.add(*[NewNotification(name, EMAIL_ONLY) for name in "ab"])

    assert users(claims.claim(2, MINUTE)) == ["c", "d"]


def test_deliveries_of_the_former_release_without_a_user_are_claimed(
    claims: Claims, outbox: Outbox, store: Store
) -> None:
    outbox.add(*to_each_user(TURN_SIZE + 1, channels=EMAIL_ONLY))
    store.run("UPDATE notification_deliveries SET user_id = '', kind = ''")

    assert [len(claims.claim(100, MINUTE)) for _ in range(3)] == [TURN_SIZE, 1, 0]


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.integers(0, 2 * TURN_SIZE), min_size=1, max_size=5),
    st.lists(st.integers(1, 30), min_size=1, max_size=4),
)
def test_everything_due_is_claimed_once_whatever_the_limits(
    store: Store, clock: Clock, counts: list[int], limits: list[int]
) -> None:
    store.clear()
    outbox, claims = Outbox(store), Claims(store.database, Channel.EMAIL, clock)
    outbox.add(
        *[
            NewNotification(f"u{n}", EMAIL_ONLY)
            for n, many in enumerate(counts)
            for _ in range(many)
        ]
    )

    claimed: list[int] = []
    for turn in range(sum(counts)):
        claimed += [one.id for one in claims.claim(limits[turn % len(limits)], MINUTE)]

    assert sorted(claimed) == [row.id for row in outbox.rows()]


def test_superseded_frames_of_a_crowded_turn_are_skipped(frames: Claims, outbox: Outbox) -> None:
    outbox.add(*[frame(f"d{n % 2}") for n in range(FLOOD)], frame("d0", urgent=True))

    claimed = frames.claim(100, MINUTE)

    *newest, urgent = outbox.rows()[-3:]
    assert {one.id for one in claimed} == {urgent.id, *(one.id for one in newest)}
    skipped = [row.last_error for row in outbox.rows() if row.status == "skipped"]
    assert skipped == [SUPERSEDED] * (FLOOD - 2)


def test_claim_compares_a_bounded_number_of_frames(
    frames: Claims, outbox: Outbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "MAX_COMPARED", 2 * TURN_SIZE)
    outbox.add(*[frame("d0") for _ in range(FLOOD)])

    frames.claim(1, MINUTE)
    assert outbox.statuses()["skipped"] == 2 * TURN_SIZE - 1
    frames.claim(1, MINUTE)
    assert outbox.statuses()["skipped"] == 2 * (2 * TURN_SIZE - 1)


def test_frames_of_different_devices_are_all_sent(frames: Claims, outbox: Outbox) -> None:
    outbox.add(*[frame(f"d{n}") for n in range(FLOOD)])

    claimed = [len(frames.claim(100, MINUTE)) for _ in range(FLOOD // TURN_SIZE)]

    assert claimed == [TURN_SIZE] * (FLOOD // TURN_SIZE)
    assert outbox.statuses() == {"pending": FLOOD}


def test_frames_that_fit_into_a_turn_are_all_sent(frames: Claims, outbox: Outbox) -> None:
    outbox.add(*[frame("d0") for _ in range(TURN_SIZE - 1)])

    assert len(frames.claim(100, MINUTE)) == TURN_SIZE - 1


def test_emails_are_never_superseded(claims: Claims, outbox: Outbox) -> None:
    outbox.add(*[NewNotification("loud", EMAIL_ONLY) for _ in range(FLOOD)])

    claims.claim(100, MINUTE)

    assert outbox.statuses() == {"pending": FLOOD}


def test_superseded_frame_that_another_dispatcher_has_claimed_is_left_to_it(
    frames: Claims, outbox: Outbox, clock: Clock, database: Database
) -> None:
    outbox.add(*[frame("d0") for _ in range(TURN_SIZE - 1)])
    claimed = frames.claim(100, MINUTE)
    outbox.add(*[frame("d0") for _ in range(TURN_SIZE)])

    other = Claims(database, Channel.WEBSOCKET, clock).claim(100, MINUTE)
    frames.record([DeliveryResult(one, DeliveryOutcome.SENT) for one in claimed])

    assert len(other) == 1
    assert outbox.statuses() == {"sent": len(claimed), "skipped": TURN_SIZE - 1, "pending": 1}


def test_locked_delivery_of_a_user_does_not_delay_other_users(
    claims: Claims, outbox: Outbox, store: Store
) -> None:
    outbox.add(*[NewNotification(name, EMAIL_ONLY) for name in ("a", "b", "c")])
    first = outbox.rows()[0].id

    lock = "SELECT 1 FROM notification_deliveries WHERE id = %s FOR UPDATE"
    with locked(store.settings, lock, first):
        assert users(claims.claim(10, MINUTE)) == ["b", "c"]


def test_crowded_turn_takes_a_constant_number_of_statements(
    frames: Claims, database: Database, outbox: Outbox
) -> None:
    outbox.add(*[frame(f"d{n % 3}") for n in range(10 * FLOOD)])

    with counted(database) as statements:
        frames.claim(100, MINUTE)

    assert (statements.selects, statements.writes) == (7, 2)


def test_turns_are_read_from_the_index(store: Store, outbox: Outbox) -> None:
    outbox.add(*to_each_user(2000, channels=EMAIL_ONLY, at=NOW - 100 * MINUTE))
    store.run("UPDATE notification_deliveries SET status = 'sent'")
    outbox.add(*to_each_user(20, channels=EMAIL_ONLY), *to_each_user(5, at=NOW + SECOND))
    store.run("ANALYZE TABLE notification_deliveries")

    part = (Channel.EMAIL, "user-1", NOW, 10)
    plan = plan_of(store, _USERS_IN_TURN, *part, *part)

    assert plan["notification_deliveries"] == "by_user"
