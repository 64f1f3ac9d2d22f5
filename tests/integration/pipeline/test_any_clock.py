"""Any clocks, batches and copies end in the state that the order of the limited times gives."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.arrivals import ACCOUNT, DEBT, HEALTH, Kind, arrivals, newest
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
READ = {
    "user": "SELECT status FROM users WHERE id = 'u1'",
    "billing": "SELECT billing_hold FROM users WHERE id = 'u1'",
    "device": "SELECT health FROM devices WHERE id = 'd1'",
}
DEFAULTS = {"user": "active", "billing": False, "device": "running"}


@FEW
@given(data=st.data(), kinds=st.sampled_from([ACCOUNT, HEALTH, DEBT]))
def test_stored_state_is_the_one_of_the_limited_times(
    store: Store, database_url: str, data: st.DataObject, kinds: list[Kind]
) -> None:
    store.clear()
    store.seed(world(held("d1")))
    family = kinds[0].event_type.partition(".")[0]
    events, clock = data.draw(arrivals(kinds)), Clock()
    with Functions(database_url, clock=clock, database=store.database) as functions:
        for event in events:
            clock.now = event.received_at
            id_ = data.draw(st.sampled_from(["", None]))
            sent = message(event.kind.event_type, id=id_, at=event.written, **event.kind.fields)
            functions.handle(sent)
            if data.draw(st.booleans()):
                functions.handle(sent._replace(redelivered=True))

    ((found,),) = store.rows(READ[family])
    assert found == newest(events, DEFAULTS[family])
