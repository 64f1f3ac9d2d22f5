"""Any clocks, batches and copies end in the state that the order of the limited times gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.messaging.message import RECEIVED_HEADER, to_milliseconds
from tests.support.arrivals import (
    Arrival,
    are_distinct,
    expected,
    mixed_arrivals,
    repeated,
)
from tests.support.clock import Clock
from tests.support.events import message
from tests.support.functions import Functions
from tests.support.world import held, world

if TYPE_CHECKING:
    from tests.support.store import Store

FEW = settings(
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
STATE = """
    SELECT u.status, u.billing_hold AS hold, u.max_devices AS quota, d.health
    FROM users u, devices d WHERE u.id = 'u1' AND d.id = 'd1'
"""


def assert_as_expected(store: Store, events: list[Arrival]) -> None:
    """Compare the rows with what the order of the limited times gives."""
    ((status, hold, quota, health),) = store.rows(STATE)
    state = {"status": status, "hold": bool(hold), "quota": quota, "health": health}
    found = expected(events)
    assert {name: state[name] for name in found} == found


@FEW
@given(data=st.data(), events=mixed_arrivals())
def test_events_and_copies_that_come_as_they_are_received_end_in_the_state_of_their_times(
    store: Store, database_url: str, data: st.DataObject, events: list[Arrival]
) -> None:
    store.clear()
    store.seed(world(held("d1")))
    clock = Clock()
    with Functions(database_url, clock=clock, database=store.database) as functions:
        for event in events:
            clock.now = event.received_at
            id_ = data.draw(st.sampled_from(["", None]))
            sent = message(event.kind.event_type, id=id_, at=event.written, **event.kind.fields)
            functions.handle(sent)
            if data.draw(st.booleans()):
                functions.handle(sent._replace(redelivered=True))

    assert_as_expected(store, events)


@FEW
@given(data=st.data(), events=mixed_arrivals().filter(are_distinct))
def test_events_that_waited_in_any_order_and_any_batches_end_in_the_state_of_their_times(
    store: Store, database_url: str, data: st.DataObject, events: list[Arrival]
) -> None:
    store.clear()
    store.seed(world(held("d1")))
    messages = [
        message(
            one.kind.event_type,
            at=one.written,
            headers={RECEIVED_HEADER: to_milliseconds(one.received_at)},
            **one.kind.fields,
        )
        for one in events
    ]
    with Functions(database_url, database=store.database) as functions:
        functions.handle(*data.draw(repeated(data.draw(st.permutations(messages)))))

    assert_as_expected(store, events)
