"""Events whose publisher's clock is wrong, coarse or missing."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.model import Device, Health, User, UserStatus
from scheduler.messaging.message import to_milliseconds
from scheduler.pipeline.outcome import Verdict
from tests.support.counter import FakeCounter
from tests.support.deciding import parsed, run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, SECOND, device, held, user, world

if TYPE_CHECKING:
    from scheduler.messaging.message import Message

HOUR: Final = 60 * MINUTE
MILLISECOND: Final = timedelta(milliseconds=1)
AHEAD: Final = NOW + 8 * HOUR
"""The local time of UTC+8, written as if it were UTC."""


def received(event_type: str, moment: datetime, /, **about: Any) -> Message:  # noqa: ANN401 - any field
    """Return a message that was first received at a time."""
    return message(event_type, headers={"x-received-at": to_milliseconds(moment)}, **about)


# -- ahead -----------------------------------------------------------------------------


def test_suspension_applies_after_an_activation_eight_hours_ahead() -> None:
    activated = received("user.activated", NOW - HOUR, at=AHEAD - HOUR)
    suspended = received("user.suspended", NOW, at=NOW)

    decided = run(activated, suspended, on=world(held("d1")))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.user("u1").status is UserStatus.SUSPENDED
    assert list(decided.released) == ["d1"]


def test_failure_applies_after_a_recovery_eight_hours_ahead() -> None:
    running = received(
        "device.status_changed", NOW - HOUR, at=AHEAD, oldStatus="error", newStatus="running"
    )
    failed = received("device.failed", NOW, at=NOW - SECOND)

    decided = run(running, failed, on=world(held("d1")))

    assert decided.work.device("d1").health is Health.FAILED
    assert list(decided.released) == ["d1"]


def test_overdue_account_is_on_hold_after_a_payment_eight_hours_ahead() -> None:
    paid = received("billing.payment_success", NOW - HOUR, at=AHEAD)
    overdue = received("billing.overdue", NOW, at=NOW - SECOND)

    decided = run(paid, overdue, on=world(held("d1")))

    assert decided.work.user("u1").billing_hold
    assert list(decided.released) == ["d1"]


def test_failed_payments_count_after_a_payment_eight_hours_ahead() -> None:
    counter = FakeCounter()
    paid = received("billing.payment_success", NOW - HOUR, at=AHEAD)
    run(paid, counter=counter)

    failures = [received("billing.payment_failed", NOW, at=NOW) for _ in range(3)]
    decided = run(*failures, on=world(held("d1")), counter=counter)

    assert decided.verdicts == 3 * [Verdict.DONE]
    assert decided.work.user("u1").billing_hold


def test_payment_resets_failures_that_are_eight_hours_ahead() -> None:
    counter = FakeCounter()
    run(
        *(received("billing.payment_failed", NOW - HOUR, at=AHEAD) for _ in range(2)),
        counter=counter,
    )

    run(received("billing.payment_success", NOW, at=NOW), counter=counter)

    assert counter.current("u1", NOW) == 0


@pytest.mark.parametrize(
    ("ahead", "counts"),
    [(5 * MINUTE, False), (5 * MINUTE + MILLISECOND, True), (24 * HOUR, True), (999 * HOUR, True)],
)
def test_more_than_five_minutes_ahead_is_the_time_of_receipt(
    ahead: timedelta, *, counts: bool
) -> None:
    one = parsed(message("user.activated", at=NOW + ahead))

    assert one.clock_ahead is counts
    assert one.event.occurred_at == (NOW if counts else NOW + ahead)


def test_time_ahead_of_the_first_receipt_counts_as_that_at_every_retry() -> None:
    sent = received("user.activated", NOW, at=AHEAD)

    assert parsed(sent, AHEAD).event.occurred_at == NOW


def test_time_of_receipt_in_the_future_is_not_believed() -> None:
    assert parsed(received("user.activated", NOW + HOUR)).received_at == NOW


def test_time_of_receipt_in_seconds_is_not_believed() -> None:
    headers = {"x-received-at": int(NOW.timestamp())}
    event = parsed(message("user.activated", at=NOW - HOUR, headers=headers))

    assert (event.received_at, event.event.occurred_at) == (NOW, NOW - HOUR)


# -- without a time ----------------------------------------------------------------------


def test_retried_maintenance_without_a_time_does_not_undo_a_later_recovery() -> None:
    recovered = received(
        "device.status_changed", NOW - MINUTE, oldStatus="maintenance", newStatus="running"
    )
    parked = received("device.maintenance", NOW - 2 * MINUTE)

    decided = run(recovered, parked, on=world(device()))

    assert decided.verdicts == [Verdict.DONE, Verdict.OUTDATED]
    assert decided.work.device("d1").health is Health.RUNNING


def test_amqp_timestamp_of_the_same_second_is_not_outdated() -> None:
    running = received(
        "device.status_changed",
        NOW,
        at=NOW - 10 * SECOND + 600 * MILLISECOND,
        oldStatus="error",
        newStatus="running",
    )
    failed = received("device.failed", NOW)._replace(sent_at=NOW - 10 * SECOND)

    decided = run(running, failed, on=world(held("d1")))

    assert decided.verdicts == [Verdict.DONE, Verdict.DONE]
    assert decided.work.device("d1").health is Health.FAILED


def test_recharge_in_the_second_of_the_overdue_event_lifts_the_hold() -> None:
    overdue = received("billing.overdue", NOW, at=NOW - MINUTE + 300 * MILLISECOND)
    recharged = received("billing.recharged", NOW, at=NOW - MINUTE)

    assert not run(overdue, recharged).work.user("u1").billing_hold


def test_milliseconds_are_compared_where_both_events_have_them() -> None:
    overdue = received("billing.overdue", NOW, at=NOW - MINUTE + 300 * MILLISECOND)
    recharged = received("billing.recharged", NOW, at=NOW - MINUTE + 299 * MILLISECOND)

    assert run(overdue, recharged).work.user("u1").billing_hold


def test_failure_ten_minutes_behind_takes_the_device_from_its_new_holder() -> None:
    failed = received("device.failed", NOW, at=NOW - 10 * MINUTE)

    decided = run(failed, on=world(held("d1", since=NOW - MINUTE)))

    assert list(decided.released) == ["d1"]


# -- without an id -----------------------------------------------------------------------


def test_same_suspension_again_suspends_an_activated_user_again() -> None:
    words = {"id": None, "reason": "same words"}
    sent = [
        received("user.suspended", NOW - 2 * MINUTE, **words),
        received("user.activated", NOW - MINUTE, id=None),
        received("user.suspended", NOW, **words),
    ]

    assert run(*sent, on=world(user())).work.user("u1").status is UserStatus.SUSPENDED


# -- any clock, any order ----------------------------------------------------------------


class Kind(NamedTuple):
    """An event, and the state that it leads to."""

    event_type: str
    fields: dict[str, Any]
    state: object


_STATUSES: Final = {"running": Health.RUNNING, "error": Health.ERROR, "Idle": Health.UNKNOWN}
ACCOUNT: Final = [
    Kind("user.suspended", {}, UserStatus.SUSPENDED),
    Kind("user.activated", {}, UserStatus.ACTIVE),
]
HEALTH: Final = [
    Kind("device.failed", {}, Health.FAILED),
    Kind("device.maintenance", {}, Health.MAINTENANCE),
    Kind("device.created", {}, Health.RUNNING),
    Kind("device.created", {"status": "creating"}, Health.UNKNOWN),
    *(
        Kind("device.status_changed", {"oldStatus": "RUNNING", "newStatus": status}, health)
        for status, health in _STATUSES.items()
    ),
]
DEBT: Final = [
    Kind("billing.overdue", {}, state=True),
    Kind("billing.payment_success", {"newBalance": 0}, state=False),
    Kind("billing.recharged", {"newBalance": 1}, state=False),
    Kind("billing.recharged", {"newBalance": -1}, None),
]
QUOTAS: Final = [Kind("user.quota_updated", {"newQuota": {"maxDevices": n}}, n) for n in range(4)]


class Arrival(NamedTuple):
    """An event, when it was first received, and the time that its publisher wrote, if any."""

    kind: Kind
    received_at: datetime
    written: datetime | None

    @property
    def occurred_at(self) -> datetime:
        """Return the time that counts."""
        far_ahead = self.written and self.written - self.received_at > 5 * MINUTE
        return self.received_at if far_ahead or not self.written else self.written


# No whole seconds, which would stand for all of the second.
_spans = st.integers(-86_400, 86_400).map(lambda s: s * SECOND) | st.integers(-20, 20).map(
    lambda n: n * 30 * SECOND
)


@st.composite
def arrivals(draw: st.DrawFn, kinds: list[Kind]) -> list[Arrival]:
    """Return events in the order of their first receipt, written with clocks up to a day off."""
    moments = draw(st.lists(st.integers(0, 2 * 86_400), min_size=1, max_size=8, unique=True))
    made = []
    for moment in sorted(moments):
        at = NOW - 3 * 24 * HOUR + moment * SECOND + draw(st.integers(1, 999)) * MILLISECOND
        written = draw(st.none() | st.builds(at.__add__, _spans))
        made.append(Arrival(draw(st.sampled_from(kinds)), at, written))
    return made


def sent(events: list[Arrival], **about: Any) -> list[Message]:  # noqa: ANN401 - as received
    return [
        received(one.kind.event_type, one.received_at, at=one.written, **about, **one.kind.fields)
        for one in events
    ]


def newest(events: list[Arrival], default: object) -> object:
    """Return the state that the order of the times gives; at equal times, the later receipt."""
    state = default
    for one in sorted(events, key=lambda one: one.occurred_at):
        state = state if one.kind.state is None else one.kind.state
    return state


@st.composite
def repeated(draw: st.DrawFn, messages: list[Message]) -> list[Message]:
    """Return the messages in their order, some of them again at any later place."""
    found = list(messages)
    for one in draw(st.lists(st.sampled_from(messages), max_size=4)):
        first = found.index(one)
        found.insert(draw(st.integers(first + 1, len(found))), one._replace(redelivered=True))
    return found


@given(data=st.data())
@pytest.mark.parametrize(
    ("kinds", "default", "state"),
    [
        (ACCOUNT, UserStatus.ACTIVE, lambda one: one.work.user("u1").status),
        (HEALTH, Health.RUNNING, lambda one: one.work.device("d1").health),
        (DEBT, False, lambda one: one.work.user("u1").billing_hold),
        (QUOTAS, 10, lambda one: one.work.user("u1").quota.max_devices),
    ],
    ids=["account", "health", "debt", "quota"],
)
def test_any_clocks_and_copies_end_in_the_state_of_the_limited_times(
    data: st.DataObject,
    kinds: list[Kind],
    default: object,
    state: Any,  # noqa: ANN401 - reads a result
) -> None:
    events = data.draw(arrivals(kinds))
    messages = data.draw(repeated(sent(events)))

    assert state(run(*messages, on=world(held("d1")))) == newest(events, default)


@given(data=st.data(), kinds=st.sampled_from([ACCOUNT, HEALTH, DEBT, QUOTAS]))
def test_retries_in_any_order_end_in_the_same_state(data: st.DataObject, kinds: list[Kind]) -> None:
    events = data.draw(
        arrivals(kinds).filter(lambda made: len({e.occurred_at for e in made}) == len(made))
    )
    messages = sent(events, id=data.draw(st.sampled_from(["", None])))

    in_order, shuffled = (
        run(*order, on=world(held("d1"))).work
        for order in (messages, data.draw(st.permutations(messages)))
    )

    def states(user_: User, device_: Device) -> tuple[object, ...]:
        return user_.status, user_.billing_hold, user_.quota, device_.health

    assert states(in_order.user("u1"), in_order.device("d1")) == states(
        shuffled.user("u1"), shuffled.device("d1")
    )
