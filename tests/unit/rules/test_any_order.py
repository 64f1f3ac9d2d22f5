"""Events with any clocks, in any order and repeated, end in the same state."""

from __future__ import annotations

from itertools import permutations, product
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.domain.model import Device, Health, User, UserStatus
from tests.support.arrivals import (
    ACCOUNT,
    DEBT,
    HEALTH,
    QUOTAS,
    Arrival,
    Kind,
    are_distinct,
    arrivals,
    expected,
    mixed_arrivals,
    newest,
    repeated,
)
from tests.support.deciding import run
from tests.support.events import message
from tests.support.world import MINUTE, NOW, SECOND, held, world
from tests.unit.rules.receipt import received

if TYPE_CHECKING:
    from scheduler.messaging.message import Message


def sent(events: list[Arrival], **about: Any) -> list[Message]:  # noqa: ANN401 - as received
    return [
        received(one.kind.event_type, one.received_at, at=one.written, **about, **one.kind.fields)
        for one in events
    ]


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


@pytest.mark.parametrize("version", [True, False])
def test_every_order_of_four_events_about_a_device_ends_in_the_same_health(
    *, version: bool
) -> None:
    kinds = ("device.deleted", "device.created", "device.failed", "device.maintenance")
    for history in product(kinds, repeat=4):
        in_order = [
            message(one, at=NOW + n * SECOND - MINUTE, version=n if version else None)
            for n, one in enumerate(history, start=1)
        ]
        found = {run(*order).work.device("d1").health for order in permutations(in_order)}
        assert found == {run(*in_order).work.device("d1").health}, history


@given(data=st.data(), kinds=st.sampled_from([ACCOUNT, HEALTH, DEBT, QUOTAS]))
def test_retries_in_any_order_end_in_the_same_state(data: st.DataObject, kinds: list[Kind]) -> None:
    events = data.draw(arrivals(kinds).filter(are_distinct))
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


@given(data=st.data(), events=mixed_arrivals().filter(are_distinct))
def test_any_events_in_any_order_end_in_the_state_of_the_limited_times(
    data: st.DataObject, events: list[Arrival]
) -> None:
    messages = data.draw(repeated(data.draw(st.permutations(sent(events)))))

    work = run(*messages, on=world(held("d1"))).work

    found, user_ = expected(events), work.user("u1")
    state = {
        "status": user_.status,
        "hold": user_.billing_hold,
        "quota": user_.quota.max_devices,
        "health": work.device("d1").health,
    }
    assert {name: state[name] for name in found} == found
    if user_.status is not UserStatus.ACTIVE or user_.billing_hold:
        assert not work.active_allocations(user="u1")
