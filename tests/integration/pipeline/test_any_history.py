"""Any history of batches leaves the same state as each of its events applied once."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.messaging.message import Message
from tests.integration.pipeline.histories import START, USERS, histories, splits
from tests.support.counter import FakeCounter
from tests.support.functions import Functions
from tests.support.store import Store
from tests.support.world import NOW

FEW = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def outcome(
    store: Store, database_url: str, batches: list[list[Message]]
) -> tuple[dict[str, Any], list[int]]:
    """Apply batches to the initial state; return the final state and the payment counts."""
    store.clear()
    store.seed(START)
    counter = FakeCounter()
    with Functions(database_url, counter=counter, database=store.database) as functions:
        for batch in batches:
            functions.handle(*batch)
    return store.state(), [counter.current(id_, NOW) for id_ in USERS]


def distinct(messages: list[Message]) -> list[Message]:
    first: dict[str, Message] = {}
    for one in messages:
        first.setdefault(one.properties["message_id"], one)
    return list(first.values())


@FEW
@given(data=st.data(), messages=histories())
def test_any_history_in_any_batches_equals_each_event_once(
    store: Store, database_url: str, data: st.DataObject, messages: list[Message]
) -> None:
    batches = data.draw(splits(messages))

    found = outcome(store, database_url, batches)

    assert found == outcome(store, database_url, [[one] for one in distinct(messages)])


@FEW
@given(messages=histories())
def test_repeated_history_changes_nothing(
    store: Store, database_url: str, messages: list[Message]
) -> None:
    store.clear()
    store.seed(START)
    with Functions(database_url, database=store.database) as functions:
        functions.handle(*messages)
        before = store.state()
        again = functions.handle(*messages)

    assert again == {"duplicate": len(messages)}
    assert store.state() == before


@FEW
@given(messages=histories(max_size=20))
def test_invariants_of_the_tables_hold_after_any_history(
    store: Store, database_url: str, messages: list[Message]
) -> None:
    state, _ = outcome(store, database_url, [[one] for one in messages])

    holding = {
        row.device_id: row.user_id for row in state["allocations"] if row.status == "ALLOCATED"
    }
    allocated = {row.id for row in state["devices"] if row.status == "allocated"}
    assert allocated == set(holding)
    barred = {row.id for row in state["users"] if row.status != "active" or row.billing_hold}
    assert barred.isdisjoint(holding.values())
    released = [row for row in state["allocations"] if row.status == "RELEASED"]
    assert [row.body["allocationId"] for row in state["outgoing"]] == sorted(
        row.id for row in released
    )
    deleted = {row.id for row in state["users"] if row.status == "deleted"}
    assert all(
        (row.email, row.phone) == (None, None) for row in state["users"] if row.id in deleted
    )
